"""What every adapter must do, whatever its provider: inherit `AdapterContract`, say how the provider speaks, and it is
tested. A new channel is one file in `channels/direct/adapters/` and one such class."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from typing import ClassVar

import pytest

from tests.channels.direct.provider import Provider, over_http
from yutang.channels.contracts import CannotCarry, MessageContent, Permit
from yutang.channels.direct.contracts import (
    Adapter,
    Allowance,
    Answer,
    Given,
    Heard,
    Kind,
    Letter,
    LetterState,
    Lost,
    Outcome,
    Pause,
)
from yutang.channels.direct.registry import kind_named
from yutang.channels.webhook.contracts import ALLOW_PRIVATE
from yutang.kernel.errors import BadInput

SECRET = "7tZqv0secret4711"


def letters(content: MessageContent, *recipients: str, call: str = "ltcall") -> list[Letter]:
    """Letters of one call."""
    return [
        Letter(f"lt{index:030x}", call, one, content, f"https://pond.example/p/token{index}/")
        for index, one in enumerate(recipients)
    ]


class AdapterContract:
    """Inherit, and fill in."""

    name: ClassVar[str]
    """The kind's name."""
    corp: ClassVar[str] = "main"
    text: ClassVar[str]
    """A text that the account can carry."""
    wrong_text: ClassVar[str | None] = None
    """One that it cannot; None: it carries any."""
    recipients: ClassVar[tuple[str, str, str]]
    garbage: ClassVar[bytes] = b"\x00 nothing that a provider writes"
    delivered: ClassVar[bytes | None] = None
    """What is posted to say that the letter `lt000…0` of the call `ltcall` was delivered; None: it never says so."""
    content_type: ClassVar[str] = "application/json"

    @pytest.fixture(autouse=True)
    def _on_loopback(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        monkeypatch.setenv(ALLOW_PRIVATE, "1")
        with self.serving() as self.provider:
            yield

    def serving(self):  # type: ignore[no-untyped-def]
        """The scripted provider."""
        return over_http()

    provider: Provider

    # How the provider speaks. Each arranges its next answers.

    def settings(self) -> dict[str, str]:
        """The account's settings, with `SECRET` wherever something is secret."""
        raise NotImplementedError

    def takes(self) -> None:
        """It takes everything, once it has checked by itself that the call is as its documentation says."""
        raise NotImplementedError

    def taken(self) -> list[str]:
        """The recipients of what it took, in its own spelling brought back to ours."""
        raise NotImplementedError

    def refuses(self) -> None:
        """It refuses the content for good."""
        raise NotImplementedError

    def knows_not(self, recipient: str) -> None:
        """It refuses one recipient, whom nobody will ever reach, and takes the others."""
        raise NotImplementedError

    def is_slow(self) -> None:
        """It says: later."""
        raise NotImplementedError

    def locks_out(self) -> None:
        """It does not take the account: keys, money, permissions."""
        raise NotImplementedError

    def goes_dead(self) -> None:
        """It takes the call and gives no answer."""
        raise NotImplementedError

    def known(self) -> None:
        """It knows, when asked, the letter to the first recipient, and that the second was never sent."""
        pytest.skip("this provider cannot be asked")

    # The contract.

    @property
    def kind(self) -> Kind:
        return kind_named(self.name)

    @property
    def content(self) -> MessageContent:
        return MessageContent(self.text, permit=Permit("marketing"))

    def adapter(self, **changed: str) -> Adapter:
        return self.kind.connect(Given(self.corp, self.settings() | changed))

    def send(self, adapter: Adapter, *recipients: str) -> list[Answer]:
        allowed = dict.fromkeys(recipients, Allowance(answers=5))
        return list(adapter.send(letters(self.content, *recipients), allowed))

    def test_it_says_what_it_can_do_and_what_it_must_be_told(self) -> None:
        capabilities = self.kind.capabilities
        assert capabilities.name == self.name
        assert capabilities.addressed_by
        assert not capabilities.taps
        assert 1 <= capabilities.recipients <= 1_000
        assert capabilities.per_second > 0
        assert len({one.name for one in self.kind.fields}) == len(self.kind.fields)
        for one in self.kind.fields:
            assert one.zh
            assert one.en
            assert not (one.needed and not one.default and one.name not in self.settings())
        secret = {one.name for one in self.kind.fields if one.secret}
        assert {name for name, value in self.settings().items() if SECRET in value} <= secret

    def test_what_is_taken_is_answered_letter_by_letter_and_reaches_each_once(self) -> None:
        self.takes()
        answers = self.send(self.adapter(), *self.recipients)
        assert [one.outcome for one in answers] == [Outcome.TAKEN] * 3, answers
        assert len({one.uid for one in answers}) == 3
        assert sorted(self.taken()) == sorted(self.recipients)

    def test_what_is_refused_for_good_is_said_so_and_with_a_word_that_names_nobody(self) -> None:
        self.refuses()
        for answer in self.send(self.adapter(), *self.recipients[:2]):
            assert answer.outcome is Outcome.REFUSED
            assert re.fullmatch(r"[\w.:-]{1,60}", answer.reason)
            assert not answer.bad_address

    def test_one_bad_address_spoils_no_other_letter(self) -> None:
        first, bad, last = self.recipients
        self.knows_not(bad)
        answers = {one.uid: one for one in self.send(self.adapter(), first, bad, last)}
        outcomes = [answers[f"lt{index:030x}"].outcome for index in range(3)]
        assert outcomes == [Outcome.TAKEN, Outcome.REFUSED, Outcome.TAKEN]
        assert answers[f"lt{1:030x}"].bad_address

    def test_later_is_no_refusal(self) -> None:
        self.is_slow()
        outcomes = [Outcome.LATER]  # of the account as a whole, it may say so as a pause
        with suppress(Pause):
            outcomes = [one.outcome for one in self.send(self.adapter(), self.recipients[0])]
        assert outcomes == [Outcome.LATER]

    def test_an_account_that_is_locked_out_pauses_with_a_sentence_for_a_person(self) -> None:
        self.locks_out()
        with pytest.raises(Pause) as pause:
            self.send(self.adapter(), self.recipients[0])
        assert pause.value.zh != pause.value.en
        assert SECRET not in pause.value.zh + pause.value.en

    def test_where_nobody_answers_the_door_nothing_was_sent(self) -> None:
        adapter = self.adapter(**self.elsewhere())
        if self.kind.lost is Lost.REPEAT:
            assert [one.outcome for one in self.send(adapter, self.recipients[0])] == [Outcome.UNKNOWN]
            return
        with pytest.raises(Pause):
            self.send(adapter, self.recipients[0])

    def elsewhere(self) -> dict[str, str]:
        """Settings that lead to a port at which nobody listens."""
        return {"address": "http://127.0.0.1:9"}

    def test_an_answer_that_is_lost_is_unknown_and_not_a_refusal(self) -> None:
        self.goes_dead()
        answers = self.send(self.adapter(), self.recipients[0])
        assert [one.outcome for one in answers] == [Outcome.UNKNOWN]

    def test_what_was_lost_is_looked_up_where_it_can_be(self) -> None:
        adapter = self.adapter()
        asked = letters(self.content, *self.recipients[:2])
        if self.kind.lost is not Lost.LOOK_UP:
            assert {one.outcome for one in adapter.find(asked)} == {Outcome.UNKNOWN}
            return
        self.known()
        first, second = adapter.find(asked)
        assert first.outcome is Outcome.TAKEN
        assert second.outcome in (Outcome.UNKNOWN, Outcome.LATER)

    def test_what_it_cannot_carry_is_said_before_anything_is_sent(self) -> None:
        adapter = self.adapter()
        assert adapter.size(self.content).pieces >= 1
        if self.wrong_text is not None:
            with pytest.raises(CannotCarry):
                adapter.size(MessageContent(self.wrong_text, permit=Permit("marketing")))
        assert self.provider_was_not_asked()

    def provider_was_not_asked(self) -> bool:
        return not self.provider.asked

    def test_nothing_secret_or_personal_shows_when_it_is_printed(self) -> None:
        given = Given(self.corp, self.settings())
        assert SECRET not in repr(given)
        assert self.recipients[0] not in repr(letters(self.content, *self.recipients))

    def test_a_callback_that_cannot_be_read_is_refused_in_a_sentence(self) -> None:
        with pytest.raises(BadInput):
            self.adapter().hear(Heard("POST", {}, self.content_type, self.garbage))

    def test_what_was_delivered_is_told_of_the_letter(self) -> None:
        if self.delivered is None:
            pytest.skip("it never says so")
        told = self.adapter().hear(Heard("POST", self.signed(), self.content_type, self.delivered))
        (report,) = told.reports
        assert report.state is LetterState.DELIVERED
        assert report.uid == f"lt{0:030x}" or report.call == "ltcall" or report.provider_id
        assert told.answer

    def signed(self) -> dict[str, str]:
        """The query that the provider puts beside what it posts."""
        return {}
