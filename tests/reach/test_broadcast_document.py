"""What a broadcast may say: one number out of bounds used to stop the planning of all plans."""

from __future__ import annotations

import pytest

from yutang.kernel.documents import read
from yutang.kernel.errors import BadDocument, BadInput

HEAD = """
kind: broadcast
name: hello
schema: 1
title: {zh: 你好, en: Hello}
audience: {everyone: true}
purpose: marketing
message: {text: 本周新品到店。}
"""


@pytest.mark.parametrize(
    ("said", "place"),
    [
        ("at_most: 99999999999999999999999999", "at_most"),
        ("waves: [.nan, 1]", "waves"),
        ("waves: [0.5, .nan, 1]", "waves"),
        (f"waves: {[n / 100 for n in range(1, 101)]}", "waves"),
        ("start: 9999-12-31T23:59:59-12:00", "start"),
        ("start: 0001-01-01T00:00:00+14:00", "start"),
        ("hold_out: .nan", "hold_out"),
        ("priority: 1e9", "priority"),
    ],
)
def test_a_number_out_of_bounds_is_refused_by_name(said: str, place: str) -> None:
    with pytest.raises(BadDocument, match=place):
        read(HEAD + said)


@pytest.mark.parametrize("number", ["9" * 5000, "0x" + "f" * 5000])
def test_a_number_without_end_is_no_document(number: str) -> None:
    with pytest.raises(BadInput, match=r"not valid YAML|at_most"):
        read(f"{HEAD}at_most: {number}")


def test_what_lies_within_bounds_is_read() -> None:
    read(f"{HEAD}at_most: 1000000000\nwaves: [0.01, 0.05, 0.2, 1]\nstart: 2026-11-11T10:00:00+08:00")
