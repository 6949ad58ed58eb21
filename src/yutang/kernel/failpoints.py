"""Named places at which a test may kill the process, to see that nothing is lost or doubled.

`YUTANG_FAILPOINT=name` kills this process with SIGKILL when it first comes by that place; `YUTANG_FAILPOINT_LOG=file`
notes every place that was passed, one name a line. Unset, a place costs one look at an empty variable.
"""

from __future__ import annotations

import os
import signal

FAILPOINTS = (
    "pump.after_claim",
    "pump.after_persons",
    "pump.after_identity",
    "pump.after_append",
    "pump.after_mirrored",
    "pump.after_done",
    "import.after_started",
    "import.after_spill",
    "import.after_persons",
    "import.after_identity",
    "import.after_chunk_file",
    "import.after_sealed",
    "import.after_append",
    "import.after_chunk_done",
    "import.after_done",
    "mirror.after_write",
    "collect.before_commit",
    "collect.after_commit",
    "hook.before_commit",
    "hook.after_commit",
    "parcel.before_cut",
    "parcel.cut",
    "parcel.claimed",
    "parcel.answered",
    "archive.opened",
    "archive.before_commit",
    "archive.after_commit",
    "list.recorded",
    "outbox.written",
    "letters.claimed",
    "letters.answered",
    "kf.kept",
    "kf.page",
    "kf.claimed",
    "kf.sent",
    "offgate.listed",
    "offgate.portion",
    "chase.kept",
    "chase.claimed",
    "chase.answered",
    "plan.audience_frozen",
    "plan.runs_opened",
    "plan.decisions_written",
    "plan.before_commit",
    "plan.committed",
    "standing.run_opened",
    "standing.decisions_written",
    "standing.before_commit",
    "phone.before_commit",
    "media.claimed",
    "media.uploaded",
    "issue.ready",
    "issue.claimed",
    "issue.answered",
    "issue.bound",
    "issue.unknown",
    "issue.found",
    "issue.not_found",
    "read.receipts_written",
    "expire.cancelled",
    "expire.read",
    "expire.receipts_written",
    "expire.given_up",
    "way.claimed",
    "way.answered",
    "way.found",
    "reflex.claimed",
    "reflex.said",
    "reflex.entries_recorded",
    "rotate.key_made",
    "rotate.in_use",
    "rotate.portion",
    "rotate.before_retired",
    "erase.begun",
    "erase.people",
    "erase.traces",
    "erase.inbox_part",
    "erase.inbox",
    "erase.rewritten",
    "erase.warehouse",
    "erase.unsealed",
    "erase.let_go",
)

_armed: str | None = None
_log: str | None = None


def arm(name: str | None, log: str | None = None) -> None:
    """Kill this process at that place, and note places passed in that file. Raises ValueError for an unknown name."""
    global _armed, _log
    if name and name not in FAILPOINTS:
        raise ValueError(f"there is no failpoint {name}; they are {', '.join(FAILPOINTS)}")
    _armed, _log = name or None, log or None


def failpoint(name: str) -> None:
    """A place between two writes. Where this process is to die here, it does, at once."""
    if _armed is None and _log is None:
        return
    if name not in FAILPOINTS:
        raise ValueError(f"failpoint {name} is not in the list")
    if _log is not None:
        with open(_log, "a", encoding="ascii") as file:
            file.write(name + "\n")
    if name == _armed:
        os.kill(os.getpid(), signal.SIGKILL)


arm(os.environ.get("YUTANG_FAILPOINT"), os.environ.get("YUTANG_FAILPOINT_LOG"))
