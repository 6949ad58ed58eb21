"""Opening the house: keys, settings, databases, clocks, channels. Only here are rooms wired to one another."""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from yutang.kernel import clock, encryption
from yutang.kernel.errors import OutOfSpace, Refused

if TYPE_CHECKING:
    from yutang.organisation.clock import BrandClock
    from yutang.warehouse.contracts import Warehouse

DEFAULT_DATA = "data"


def data_directory() -> Path:
    """`YUTANG_DATA`, or ./data."""
    return Path(os.environ.get("YUTANG_DATA", DEFAULT_DATA)).resolve()


def configure(directory: Path) -> None:
    """Let Django know where the data are. Makes nothing: looking at the help leaves no trace."""
    os.environ["YUTANG_DATA"] = str(directory)
    os.environ["DJANGO_SETTINGS_MODULE"] = "yutang.app.settings"
    import django

    from yutang.app.logs import configure_logs

    configure_logs()
    django.setup()


def unlock(directory: Path) -> None:
    """Make the directory and its keys, or read them. Raises WrongKey or OutOfSpace."""
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        keys = Path(os.environ.get("YUTANG_KEY_FILE", directory / "secret.key"))
        ring = encryption.Keyring.load_or_create(keys)
    except OSError as error:
        kind = OutOfSpace if error.errno in (errno.ENOSPC, errno.EDQUOT) else Refused
        raise kind(
            f"无法写入数据目录 {directory}：{error.strerror}。请检查磁盘空间和权限。",
            f"The data directory {directory} cannot be written: {error.strerror}. Check disk space and permissions.",
        ) from error
    encryption.install_keyring(ring, keys, _sign_by)


def _sign_by(ring: encryption.Keyring) -> None:
    from django.conf import settings

    settings.SECRET_KEY = ring.signing.hex()
    settings.SECRET_KEY_FALLBACKS = [key.hex() for key in ring.signed_before]


def bring_up_to_date() -> None:
    """Apply the migrations that the operational store lacks. Raises Refused for data that newer code wrote.

    Django's `migrate` takes a fifth of a second to find that there is nothing to do, at every command.
    """
    from django.apps import apps
    from django.core.management import call_command
    from django.db import connection
    from django.db.migrations.loader import MigrationLoader

    from yutang.organisation.services import check_key

    loader = MigrationLoader(connection, ignore_no_migrations=True)
    known, applied = set(loader.disk_migrations), set(loader.applied_migrations)
    ours = {app.label for app in apps.get_app_configs() if app.name.startswith("yutang.")}
    if newer := sorted(name for app, name in applied - known if app in ours):
        raise Refused(
            f"数据库由更新的 Yutang 写过（{newer[-1]}），本程序不认识。请安装更新的 Yutang，或恢复升级前的备份。",
            f"The database was written by a newer Yutang ({newer[-1]}). Install that one, or restore the backup taken "
            "before the upgrade.",
        )
    if ("organisation", "0001_initial") in applied:
        check_key()  # before anything is changed in what may be another house's
    if not known <= applied:
        call_command("migrate", verbosity=0, interactive=False)


@dataclass(slots=True)
class House:
    """An open house."""

    directory: Path
    warehouse: Warehouse
    clock: BrandClock

    def close(self) -> None:
        """Let go of the warehouse."""
        from yutang.profiles.registry import close_traits
        from yutang.warehouse.current import install_warehouse

        close_traits()
        install_warehouse(None)
        self.warehouse.close()


def open_house(directory: Path | None = None, *, upgrade: bool = True, after_you: float = 0.0) -> House:
    """Open the data directory, made and upgraded as needed. Raises YutangErrors that say what to do.

    For `after_you` seconds another process may become the owner of the warehouse's file (see `open_warehouse`).
    """
    where = directory or data_directory()
    configure(where)
    unlock(where)
    from yutang.app.warehouse import open_where_said, said
    from yutang.channels.sync.doors import install_counted, install_ours, install_ways
    from yutang.connect.queries import way_of_state
    from yutang.kernel import database
    from yutang.log.registry import refresh_vocabulary
    from yutang.organisation.clock import BrandClock
    from yutang.organisation.services import check_key
    from yutang.profiles.registry import open_traits
    from yutang.reach.queries import ours_among
    from yutang.tasks.cards import sent_from_cards
    from yutang.warehouse.current import install_warehouse

    database.reach()
    if upgrade:
        with database.said(), database.alone("migrations"):  # else two processes that start at once both make tables
            bring_up_to_date()
    else:
        check_key()
    refresh_vocabulary()
    open_traits()
    brand_clock = BrandClock()
    clock.install_business_clock(brand_clock)
    warehouse = open_where_said(said(), where, after_you=after_you)
    install_warehouse(warehouse)
    install_ways(way_of_state)
    install_ours(ours_among)
    install_counted(sent_from_cards)
    return House(where, warehouse, brand_clock)
