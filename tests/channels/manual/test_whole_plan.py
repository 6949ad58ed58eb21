"""A brand with no API at all runs a whole plan in manual mode, from segment to lift."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.channels.manual.whole_plan import PERSONS
from tests.cli.shell import ROOT, environment


@pytest.mark.long
def test_a_brand_with_no_api_at_all_runs_a_whole_plan_from_segment_to_lift(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.channels.manual.whole_plan", str(tmp_path)],
        env=environment(tmp_path / "data"), capture_output=True, text=True, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    told = json.loads(done.stdout.splitlines()[-1])

    seen = told["preview"]
    assert seen["candidates"] == PERSONS
    assert seen["suppressed"] == {"consent": 18}
    assert seen["send"] + seen["held_out"] == PERSONS - 18
    assert sorted(one["staff"] for one in told["lists"]) == ["ann", "bob", "cid"]
    assert sum(one["size"] for one in told["lists"]) == seen["send"]

    assert told["phone"] == [302, 302]
    assert told["elsewhere"] == 404, "another store's list"
    assert [one["wrong"] for one in told["imported"]] == [[], []]
    counts = told["done"]
    assert (counts["sent"], counts["failed"], counts["pending"]) == (seen["send"] - 3, 3, 0)
    assert counts["held_out"] == seen["held_out"]
    assert told["reached"] == counts["sent"]

    lift = told["show"]["lift"]
    assert (lift["verdict"], lift["preliminary"]) == ("visible", False)
    assert 65 < lift["low"] < lift["estimate"] < lift["high"] < 72
