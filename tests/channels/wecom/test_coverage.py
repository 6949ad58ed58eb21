"""The table of WeCom's calls says what the tests prove."""

from __future__ import annotations

from tests.channels.wecom.coverage import DOC, document, families, proofs


def test_the_table_is_up_to_date() -> None:
    assert DOC.read_text(encoding="utf-8") == document(), "run: python -m tests.channels.wecom.coverage"


def test_every_call_that_a_test_names_is_in_the_list() -> None:
    listed = {call for calls in families().values() for call in calls}
    assert {call for call, _ in proofs()} <= listed
