"""Documents as people write them."""

from __future__ import annotations

import pytest

from yutang.kernel.documents import diff, read
from yutang.kernel.errors import BadDocument, BadInput
from yutang.playbooks.services import read_file, shipped_files

PLAN = """
kind: broadcast
name: hello
title: {zh: 问候, en: Hello}
audience: {everyone: true}
purpose: marketing
message: {text: 您好}
"""


def test_a_document_reads_and_writes_back_to_the_same() -> None:
    document = read(PLAN)
    assert read(document.as_yaml()) == document


@pytest.mark.parametrize("path", shipped_files(), ids=lambda path: path.stem)
def test_every_shipped_document_reads_and_writes_back_to_the_same(path) -> None:  # type: ignore[no-untyped-def]
    document = read_file(path)
    assert read(document.as_yaml()) == document


def test_a_plan_without_consent_purpose_is_refused_by_name() -> None:
    with pytest.raises(BadDocument, match="purpose") as caught:
        read(PLAN.replace("purpose: marketing\n", ""))
    assert "purpose" in caught.value.zh


def test_an_unknown_field_is_refused_by_name() -> None:
    with pytest.raises(BadDocument, match="hold_uot"):
        read(PLAN + "hold_uot: 0.1\n")


@pytest.mark.parametrize(
    "text",
    [
        "kind: nonsense",
        "- a\n- b",
        "kind: [",
        b"\xff\xfe\x00",
        "a: &a [x, x]\nb: &b [*a, *a]\nkind: *b",
        "x" * 300_000,
        "[" * 5000,
    ],
)
def test_what_is_no_document_gets_one_sentence(text: str | bytes) -> None:
    with pytest.raises(BadInput) as caught:
        read(text)
    assert caught.value.zh
    assert "\n" not in caught.value.en


def test_a_diff_shows_only_what_changed() -> None:
    before, after = read(PLAN), read(PLAN.replace("您好", "早上好"))
    changed = [line for line in diff(before, after).splitlines() if line[:1] in "+-" and line[:3] not in ("+++", "---")]
    assert changed == ["-  text: 您好", "+  text: 早上好"]
    assert diff(after, after) == ""
