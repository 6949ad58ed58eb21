"""Pages of a large chain, asked for through the whole of Django in the bench's own process.

What a page took is said by the wall and by our own CPU, which a busy machine disturbs least.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

NOW = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
CORP, CHANNEL = "ww-bench", "wecom"
AIM_MS = 200.0  # of server time, of 95 in 100


def arguments(**sizes: int) -> argparse.Namespace:
    """What the command line says of these sizes, and the directory."""
    asked = argparse.ArgumentParser()
    for name, size in sizes.items():
        asked.add_argument(f"--{name}", type=int, default=size)
    asked.add_argument("--directory", type=Path, help="kept, and used again where it was seeded")
    return asked.parse_args()


@contextmanager
def chain(kept: Path | None, seed: Callable[[Any], None]) -> Iterator[Any]:
    """A house at NOW, in `kept` or in a directory that goes afterwards; `seed` fills one in which nothing is set up."""
    from yutang.app import house  # needs no settings yet

    with tempfile.TemporaryDirectory(prefix="yutang-bench-") as made:
        directory = kept or Path(made)
        os.environ["YUTANG_DATA"] = str(directory)
        house.configure(directory)
        opened = house.open_house(directory)
        try:
            from django.conf import settings

            from yutang.kernel.clock import business_clock
            from yutang.organisation.queries import is_set_up
            from yutang.playbooks.services import keep_shipped

            settings.ALLOWED_HOSTS = ["*"]
            with business_clock(NOW):
                if not is_set_up():
                    start = time.perf_counter()
                    seed(opened)
                    print(f"seeded in {time.perf_counter() - start:.0f} s", flush=True)
                keep_shipped()  # what a kept directory was seeded without
                yield opened
        finally:
            opened.close()


def stores_and_guides(stores: int) -> None:
    """A brand in regions of a hundred stores, two guides a store, and who looks at it: its owner, the manager of a
    region and of a store."""
    from yutang.organisation import services as organisation
    from yutang.organisation.contracts import NodeKind, RoleName
    from yutang.organisation.models import Node, SenderAccount, Staff
    from yutang.organisation.services import NewNode
    from yutang.playbooks.services import keep_shipped

    organisation.set_up_brand("鱼塘", "CNY", "Asia/Shanghai")
    organisation.connect_corp(CHANNEL, CORP, "secret")
    keep_shipped()
    regions = max(stores // 100, 2)
    organisation.add_nodes(
        [NewNode(f"r{number}", f"大区 {number}", NodeKind.REGION) for number in range(regions)]
        + [NewNode(f"s{number}", f"门店 {number}", NodeKind.STORE, f"r{number % regions}") for number in range(stores)]
    )
    organisation.add_user("owner", "bench", RoleName.OWNER)
    organisation.add_user("region", "bench", RoleName.MANAGER, "r1")
    organisation.add_user("keeper", "bench", RoleName.MANAGER, "s1")
    nodes = dict(Node.objects.values_list("code", "pk"))
    guides = [Staff(node_id=nodes[f"s{number // 2}"], name=f"导购 {number}") for number in range(2 * stores)]
    made = Staff.objects.bulk_create(guides, batch_size=1_000)
    SenderAccount.objects.bulk_create(
        [SenderAccount(staff=one, channel=CHANNEL, corp=CORP, userid=f"u{at}") for at, one in enumerate(made)],
        batch_size=1_000,
    )


def plan_body(name: str, said: str) -> dict[str, Any]:
    """A broadcast to everyone, as a plan keeps it."""
    return {
        "kind": "broadcast", "name": name, "title": {"zh": f"计划 {said}", "en": f"Plan {said}"},
        "audience": {"everyone": True}, "purpose": "marketing", "message": {"text": f"第 {said} 次"},
    }  # fmt: skip


def client_of(user: Any, *, on_phone: bool = False) -> Any:
    """A browser in which this user is logged in; `on_phone`: as a guide is by WeCom."""
    from django.test import Client

    from yutang.organisation.phones import BY_PHONE

    client = Client()
    client.force_login(user, "allauth.account.auth_backends.AuthenticationBackend")
    if on_phone:
        session = client.session
        session[BY_PHONE] = CHANNEL
        session.save()
    return client


@dataclass(frozen=True, slots=True)
class Took:
    """What each of some pages took, in milliseconds, and the bytes of the largest."""

    walls: tuple[float, ...]
    cpus: tuple[float, ...]
    largest: int

    @property
    def late(self) -> float:
        """The wall's 95th percentile."""
        return float(np.quantile(self.walls, 0.95))

    def __str__(self) -> str:
        """As the bench prints it."""
        wall, (cpu, much) = np.median(self.walls), np.quantile(self.cpus, [0.5, 0.95])
        return (
            f"p50 {wall:6.1f} ms, p95 {self.late:6.1f} ms, of CPU {cpu:6.1f} and {much:6.1f} ms, "
            f"{self.largest / 1000:5.1f} kB"
        )


def ask(pages: Iterable[Callable[[], Any]], *, anew: Callable[[], object] | None = None) -> Took:
    """Ask for these pages one by one. The first opens what stays open, and is asked once before it counts, unless what
    it opens is closed again (`anew`) before each."""
    walls, cpus, largest = [], [], 0
    for number, page in enumerate(pages):
        if anew is not None:
            anew()
        elif not number:
            page()
        start, busy = time.perf_counter(), time.process_time()
        answer = page()
        walls.append(1000 * (time.perf_counter() - start))
        cpus.append(1000 * (time.process_time() - busy))
        assert answer.status_code == 200, (answer.status_code, answer.content[:400])
        largest = max(largest, len(answer.content))
    return Took(tuple(walls), tuple(cpus), largest)
