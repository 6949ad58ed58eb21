"""Bytes that are sealed as they come read like any others, in memory or beyond."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from yutang.kernel.sealed import SealedSpool


@pytest.mark.parametrize("most_clear", [1000, 10], ids=["in memory", "in a sealed file"])
def test_a_spool_is_read_from_its_end_as_from_its_beginning(most_clear: int, tmp_path: Path) -> None:
    spool = SealedSpool(tmp_path / "body", "request.body", most_clear)
    for part in (b"first line\n", b"and the rest"):
        spool.write(part)
    assert spool.seek(0, io.SEEK_END) == 23, "Django looks so how large an upload is"
    assert spool.seek(0) == 0
    assert spool.readline() == b"first line\n"
    assert spool.seek(-4, io.SEEK_END) == 19
    assert spool.read() == b"rest"
    spool.close()
    assert not (tmp_path / "body").exists()
