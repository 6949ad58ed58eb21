"""The house dies where it hurts most, and its books still agree with the world (every place: `make soak`)."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.channels import test_webhooks_out as outgoing
from tests.channels.archive import test_reading as archive
from tests.channels.direct import test_outbox as direct
from tests.channels.kf import test_service as kf
from tests.channels.sync import test_offgate as offgate
from tests.execution import test_chasing as chasing
from tests.intake import kill as intake
from tests.intake import test_hooks as hooks
from tests.mobile import kill as phones
from tests.operations import rotate
from tests.segments import test_lists as lists
from tests.soak import erasing, kill, ways
from yutang.kernel.failpoints import FAILPOINTS

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.long
def test_nothing_is_lost_or_doubled_when_the_house_dies_between_the_platforms_answer_and_its_own_note(
    tmp_path: Path,
) -> None:
    books = kill.one_place(tmp_path / "pond", "issue.answered")["books"]
    assert isinstance(books, dict)
    assert books["sent"] > 0
    assert books["purchases"] > 0


@pytest.mark.long
def test_a_file_twice_and_after_a_kill_comes_to_the_totals_of_once() -> None:
    """Must-show 6, small."""
    command = [sys.executable, "-W", "ignore", "-m", "tests.soak.twice", "--lines", "2000", "--kills", "1"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert int(json.loads(done.stdout)["totals"]["lines"]) > 1_900


def test_the_soak_dies_at_every_place_that_has_a_name() -> None:
    there = {*kill.PLACES, kill.NOT_WITHDRAWN, *intake.PLACES, *ways.PLACES, *rotate.PLACES, *erasing.PLACES}
    assert there | {
        *outgoing.PLACES,
        *hooks.PLACES,
        *archive.PLACES,
        *kf.PLACES,
        *direct.PLACES,
        *offgate.PLACES,
        *phones.PLACES,
        *chasing.PLACES,
        *lists.PLACES,
    } == set(FAILPOINTS)
