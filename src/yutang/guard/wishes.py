"""What a person says for themselves on the public pages: that it stops, how they want to be spoken to, that it goes on.

Every word counts at once and is an event of the log too. A repetition changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db import transaction

from yutang.kernel.clock import business_now
from yutang.kernel.ids import EventId, PersonId
from yutang.log.contracts import Event
from yutang.log.services import record
from yutang.people.contracts import ALL_CHANNELS, ConsentShown
from yutang.people.queries import standing_consents, words_of
from yutang.people.services import ConsentWord, apply_consents

MARKETING = "marketing"
SOURCE = "public"
UNDO = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Stopped:
    """That it was stopped: when (None: it had been before, and nothing was to be done)."""

    at: datetime | None


def stop(person: PersonId, proof: str) -> Stopped:
    """Withdraw every consent of a person, ours and partners', to every purpose, and refuse marketing in any case."""
    with transaction.atomic():
        said, standing = words_of(person), standing_consents(person)
        wanted = {(purpose, partner) for (purpose, _, partner), granted in standing.items() if granted}
        if standing.get((MARKETING, ALL_CHANNELS, ""), True) or any(purpose == MARKETING for purpose, _ in wanted):
            wanted.add((MARKETING, ""))
        if not wanted:
            return Stopped(None)
        at = business_now()
        spoke = {(one.purpose, one.partner): set[PersonId]() for _, one in said}
        for birth, one in said:
            spoke[one.purpose, one.partner].add(birth)
        # Of a birth person who never spoke of it, silence is refusal enough; a word of theirs could not be taken back.
        _say(
            [
                ConsentWord(birth, purpose, ALL_CHANNELS, False, at, proof, partner, SOURCE)
                for purpose, partner in sorted(wanted)
                for birth in sorted(spoke.get((purpose, partner), {person}))
            ]
        )
    return Stopped(at)


def undo(person: PersonId, at: datetime, proof: str) -> bool:
    """Give back what was withdrawn here at `at`, within UNDO: each birth person's words as they stood before. False
    where there is nothing to give back."""
    now = business_now()
    if not timedelta(0) <= now - at <= UNDO:
        return False
    with transaction.atomic():
        said = words_of(person)
        withdrawn = {
            (birth, one.purpose, one.partner)
            for birth, one in said
            if one.at == at and one.source == SOURCE and not one.granted
        }
        later = any(one.at > at for birth, one in said if (birth, one.purpose, one.partner) in withdrawn)
        before = _latest(
            (birth, one) for birth, one in said if one.at < at and (birth, one.purpose, one.partner) in withdrawn
        )
        back = [
            ConsentWord(PersonId(birth), purpose, channel, True, now, proof, partner, SOURCE)
            for (birth, purpose, channel, partner), granted in before.items()
            if granted
        ]
        if later or not back:
            return False
        _say(back)
    return True


def _latest(said: Iterable[tuple[int, ConsentShown]]) -> Mapping[tuple[int, str, str, str], bool]:
    found: dict[tuple[int, str, str, str], tuple[datetime, bool]] = {}
    for birth, one in said:
        key = (birth, one.purpose, one.channel, one.partner)
        found[key] = max(found.get(key, (datetime(1, 1, 1, tzinfo=UTC), False)), (one.at, one.granted))
    return {key: granted for key, (_, granted) in found.items()}


def _say(words: list[ConsentWord]) -> None:
    apply_consents(words)
    record([_event(word) for word in words])


def _event(word: ConsentWord) -> Event:
    """The event of a word that counts already: applied once more by the pump, it is the same word."""
    kind = "consent.given" if word.granted else "consent.withdrawn"
    key = (word.source, word.person, word.purpose, word.channel, word.partner, kind, f"{word.at:%Y%m%d%H%M%S%f}")
    props = {"purpose": word.purpose, "channel": word.channel, "proof": word.proof}
    return Event(
        EventId(":".join(map(str, key))[:128]), kind, word.at, person=word.person, source=word.source,
        props={**props, **({"partner": word.partner} if word.partner else {})},
    )  # fmt: skip


def say_by_hand(word: ConsentWord) -> None:
    """Keep a word that somebody of the house writes down, with its proof."""
    with transaction.atomic():
        _say([word])
