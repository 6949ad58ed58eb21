"""A sync that somebody asks for in a shell: done here where the platform can be reached, else watched."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from yutang.app.channels import Channels
from yutang.app.serve import ELSEWHERE
from yutang.channels.sync import services
from yutang.channels.sync.contracts import RunFacts, RunState
from yutang.channels.sync.queries import run_numbered
from yutang.kernel.clock import monotonic
from yutang.organisation.contracts import Viewer

LOOK = 0.5  # wall seconds between two looks at what another process does
PATIENCE = 15.0  # wall seconds after which nobody else seems to work


def sync_now(
    viewer: Viewer, kind: str, corp: str, say: Callable[[str], object], *, patience: float = PATIENCE
) -> list[RunFacts]:
    """Ask for syncs, do them or watch them being done, and say how far they are; the runs as they stand then.

    Our own sandbox answers inside of `yutang up`, which then does its syncs; where nobody does, the runs wait. Raises
    as `services.ask`.
    """
    asked = [run.id for run in services.ask(viewer, kind, corp)]
    sandbox = os.environ.get(ELSEWHERE, "")
    channels = Channels(sandbox, shared=True, only_reached=not sandbox)
    moved, last = monotonic(), ""
    while True:
        worked = services.work(channels.syncs())
        runs = [run for number in asked if (run := run_numbered(viewer, number)) is not None]
        told = "; ".join(_told(run) for run in runs)
        if told != last:
            say(told)
            moved, last = monotonic(), told
        if all(run.state in (RunState.DONE, RunState.FAILED) for run in runs) or monotonic() - moved > patience:
            return runs
        if not worked:
            time.sleep(LOOK)


def _told(run: RunFacts) -> str:
    far = f" {run.done:,}/{run.total:,}" if run.total else ""
    return f"{run.corp} {run.kind} {run.state}{far}"
