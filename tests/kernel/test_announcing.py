"""Where the house answers, as a command beside it is told."""

from __future__ import annotations

import os
from pathlib import Path

from yutang.kernel.announcing import announced, told

HERE = "http://127.0.0.1:8123"


def test_an_address_is_told_as_long_as_somebody_answers(tmp_path: Path) -> None:
    assert told(tmp_path) is None
    with announced(tmp_path, "http://127.0.0.1:80000/longer"):
        pass
    assert told(tmp_path) is None
    with announced(tmp_path, HERE):
        assert told(tmp_path) == HERE
        with announced(tmp_path, f"{HERE}4"):
            assert told(tmp_path) == f"{HERE}4"
        assert told(tmp_path) is not None
    assert told(tmp_path) is None


def test_a_killed_process_tells_nothing(tmp_path: Path) -> None:
    if (child := os.fork()) == 0:
        with announced(tmp_path, HERE):
            os._exit(9)
    os.waitpid(child, 0)
    assert (tmp_path / "address").read_text() == HERE
    assert told(tmp_path) is None
