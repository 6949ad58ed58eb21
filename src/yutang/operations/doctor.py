"""The doctor: looks at everything that can be wrong with an installation, and says what to do."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

from yutang.channels.direct.queries import in_trouble as channels_in_trouble
from yutang.channels.queries import callback_counts, turned_away
from yutang.channels.webhook.queries import in_trouble
from yutang.kernel import database
from yutang.kernel.clock import business_now, wall_now
from yutang.log import queries as log
from yutang.operations import rotation
from yutang.organisation.clock import clock_state
from yutang.organisation.queries import brand, is_set_up
from yutang.profiles import queries as profile_queries
from yutang.warehouse.contracts import Warehouse, named

LOW_DISK = 2_000_000_000


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at. `ok` false: the sentences say what to do."""

    name: str
    ok: bool
    zh: str
    en: str


def examine(warehouse: Warehouse, directory: Path) -> list[Finding]:
    """Look at versions, files, migrations, clocks, disk, inbox, callbacks and profiles."""
    return [*_versions(), *_files(directory), *_state(warehouse)]


def _versions() -> Iterator[Finding]:
    python = ".".join(map(str, sys.version_info[:3]))
    ok = sys.version_info >= (3, 11)
    yield Finding("python", ok, f"Python {python}", f"Python {python}" + ("" if ok else ": install 3.11 or newer"))
    names = ("yutang", "django", "duckdb", "sqlglot", "pyarrow")
    versions = " · ".join(f"{name} {version(name)}" for name in names)
    yield Finding("versions", True, versions, versions)


def _files(directory: Path) -> Iterator[Finding]:
    free = shutil.disk_usage(directory).free
    text = f"{free / 1e9:,.1f} GB"
    yield Finding(
        "disk",
        free >= LOW_DISK,
        f"磁盘剩余 {text}" + ("" if free >= LOW_DISK else "，请清理后再导入数据"),
        f"{text} of disk left" + ("" if free >= LOW_DISK else "; make room before importing"),
    )
    keys = Path(os.environ.get("YUTANG_KEY_FILE", directory / "secret.key"))
    private = keys.exists() and keys.stat().st_mode & 0o077 == 0
    yield Finding(
        "key",
        private,
        f"密钥 {keys}" + ("，请离线备份" if private else f" 可被他人读取，请运行 chmod 600 {keys}"),
        f"key {keys}" + ("; keep a copy elsewhere" if private else f" can be read by others; run chmod 600 {keys}"),
    )


def _state(warehouse: Warehouse) -> Iterator[Finding]:
    yield _database()
    there = is_set_up()
    if not there:
        zh, en = "还没有设置品牌，请运行 yutang up", "no brand yet; run yutang up"
    elif brand().presumed:
        zh, en = "品牌按默认设置，请打开 /set-up/ 确认", "brand set up with defaults; confirm them at /set-up/"
    else:
        zh, en = "品牌已设置", "brand set up"
    yield Finding("set_up", there, zh, en)
    schema = warehouse.query(named("operations/schema_version")).to_pylist()[0]["version"]
    yield Finding("warehouse", True, f"数据仓库第 {schema} 版", f"warehouse at version {schema}")
    keys = rotation.status()
    yield Finding("rotation", not keys.left, *rotation.said(keys))
    state = clock_state()
    text = f"{business_now():%Y-%m-%d %H:%M} UTC" + ("" if state.at is None else f" (demo, ×{state.rate:g})")
    sane = wall_now().year >= 2025
    yield Finding(
        "clock",
        sane,
        f"业务时钟 {text}" + ("" if sane else "，系统时间不对，请校准"),
        f"business clock {text}" + ("" if sane else "; the system's time is wrong, set it"),
    )
    waiting = log.waiting()
    yield Finding("inbox", True, f"收件箱里有 {waiting:,} 条待处理", f"{waiting:,} events waiting in the inbox")
    troubled = in_trouble()
    names = "、".join(name for name, _, _ in troubled)
    yield Finding(
        "webhooks",
        not troubled,
        f"投递有问题：{names}，请看「设置 → 对外投递」" if troubled else "对外投递正常",
        f"webhooks out in trouble: {names}; see Settings → Webhooks out" if troubled else "webhooks out are well",
    )
    stuck = channels_in_trouble()
    zh, en = "；".join(f"{name}：{said[0]}" for _, name, said in stuck), "; ".join(f"{n}: {s[1]}" for _, n, s in stuck)
    yield Finding(
        "channels",
        not stuck,
        f"渠道账号发不出：{zh}" if stuck else "渠道账号正常",
        f"channels in trouble: {en}" if stuck else "channels are well",
    )
    yield _callbacks()
    as_of = profile_queries.as_of(warehouse)
    text = f"{as_of:%Y-%m-%d %H:%M} UTC" if as_of else "-"
    yield Finding(
        "profiles",
        as_of is not None,
        f"客户画像截至 {text}" + ("" if as_of else "，请运行 yutang rebuild profiles"),
        f"profiles as of {text}" + ("" if as_of else "; run yutang rebuild profiles"),
    )


def _callbacks() -> Finding:
    """Which callbacks came, when last, and whether the latest bore signatures of somebody else's."""
    counts, turned = callback_counts(), turned_away()
    last: dict[str, datetime] = {}
    for one in counts:
        last[one.corp] = max(one.last_at, last.get(one.corp, one.last_at))
    bad = sorted(corp for corp, one in turned.items() if corp not in last or one.last_at > last[corp])
    text = f"{max(last.values()):%Y-%m-%d %H:%M} UTC" if last else "-"
    total, kinds = sum(one.count for one in counts), len({one.kind for one in counts})
    refused = sum(one.count for one in turned.values())
    zh = f"收到 {kinds} 种回调，共 {total:,} 个，最近 {text}；签名不符 {refused:,} 次"
    en = f"{total:,} callbacks of {kinds} kinds, the latest at {text}; {refused:,} with a wrong signature"
    return Finding(
        "callbacks",
        not bad,
        zh + (f"，{'、'.join(bad)} 的 Token 或密钥与管理后台不一样，请看「设置 → 企业微信」" if bad else ""),
        en
        + (f": Token or key of {', '.join(bad)} differ from the admin console's; see Settings → WeCom" if bad else ""),
    )


def _database() -> Finding:
    """Which operational store this is, and whether what it took is on disk."""
    durable = database.is_durable()
    return Finding(
        "database",
        durable,
        f"业务库 {database.where()}" + ("" if durable else "，fsync 已关闭，断电会丢数据；请在服务器上打开"),
        f"operational store {database.where()}"
        + ("" if durable else ": fsync is off there and a power cut loses data; turn it on"),
    )


def totals(warehouse: Warehouse) -> dict[str, object]:
    """Persons, orders, lines and net spend in the pond."""
    row = warehouse.query(named("intake/totals")).to_pylist()[0]
    return {name: float(value or 0) if name == "spend" else value for name, value in row.items()}
