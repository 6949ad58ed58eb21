"""What is known of addresses beside whose they are: dead ones, and what channels that may not always speak allow."""

from __future__ import annotations

from collections.abc import Iterable

from django.db.models import F

from yutang.channels.direct.contracts import Allowance, Opened, Subscribed
from yutang.channels.models import Address
from yutang.kernel.clock import wall_now
from yutang.kernel.encryption import keyring
from yutang.log.contracts import IdentifierValue, said_alone
from yutang.people.bulk import chunks


def _rows(kind: str, namespace: str, values: Iterable[str]) -> dict[str, Address]:
    """Those that something is known of, under each generation of keys while they are being rotated."""
    ring, asked = keyring(fresh=True), list(dict.fromkeys(values))
    said = [said_alone(IdentifierValue(kind, namespace, value)) for value in asked]
    by_lookup = {
        lookup: value
        for name in ring.lookups
        for lookup, value in zip(ring.lookup_hashes(said, name), asked, strict=True)
    }
    found: dict[str, Address] = {}
    for part in chunks(by_lookup, 5_000):
        for row in Address.objects.filter(lookup__in=part):
            found[by_lookup[bytes(row.lookup)]] = row
    return found


def _row(kind: str, namespace: str, value: str) -> Address:
    """The row of an address, made where there is none; to be changed in the caller's transaction."""
    known = _rows(kind, namespace, [value]).get(value)
    if known is None:
        (lookup,) = keyring().lookup_hashes([said_alone(IdentifierValue(kind, namespace, value))])
        known, _ = Address.objects.get_or_create(
            lookup=lookup, defaults={"kind": kind, "namespace": namespace, "value": value}
        )
    return Address.objects.select_for_update().get(pk=known.pk)


def dead_among(kind: str, namespace: str, values: Iterable[str]) -> dict[str, str]:
    """Why nobody is reached any more at those of the addresses of which that is known."""
    return {value: row.dead for value, row in _rows(kind, namespace, values).items() if row.dead}


def note_dead(kind: str, namespace: str, value: str, reason: str) -> None:
    """Nobody is reached there any more."""
    row = _row(kind, namespace, value)
    Address.objects.filter(pk=row.pk).update(dead=reason[:60] or "bounced")


def allowances(kind: str, namespace: str, values: Iterable[str]) -> dict[str, Allowance]:
    """What each address allows now."""
    asked, now = list(values), wall_now()
    found = {}
    for value, row in _rows(kind, namespace, asked).items():
        stands = row.answers_until is not None and row.answers_until > now
        found[value] = Allowance(row.answers if stands else 0, row.templates)
    return {value: found.get(value, Allowance()) for value in asked}


def open_window(kind: str, namespace: str, opened: Opened) -> None:
    """The brand may answer from now on; a shorter window never closes a longer one."""
    row = _row(kind, namespace, opened.recipient)
    until = opened.at + opened.lasts
    if row.answers_until is None or row.answers_until <= until or not row.answers:
        Address.objects.filter(pk=row.pk).update(answers=opened.messages, answers_until=until)


def subscribe(kind: str, namespace: str, word: Subscribed) -> None:
    """So many more messages of a template were allowed, or none are any more."""
    row = _row(kind, namespace, word.recipient)
    count = 0 if word.more is None else int(row.templates.get(word.template, 0)) + word.more
    Address.objects.filter(pk=row.pk).update(templates={**row.templates, word.template: count})


def used(kind: str, namespace: str, values: Iterable[str], template: str) -> None:
    """A message left for each: of a template, or else an answer. Where nobody told us what is allowed nothing is."""
    rows = _rows(kind, namespace, values)
    if not template:
        Address.objects.filter(pk__in=[row.pk for row in rows.values()], answers__gt=0).update(answers=F("answers") - 1)
        return
    for value in rows:
        row = _row(kind, namespace, value)
        if row.templates.get(template):
            Address.objects.filter(pk=row.pk).update(templates={**row.templates, template: row.templates[template] - 1})


def forget(identifiers: Iterable[IdentifierValue]) -> None:
    """Forget what is known of the addresses of somebody who is erased."""
    spaces: dict[tuple[str, str], list[str]] = {}
    for one in identifiers:
        spaces.setdefault((one.kind, one.namespace), []).append(one.value)
    for (kind, namespace), values in spaces.items():
        Address.objects.filter(pk__in=[row.pk for row in _rows(kind, namespace, values).values()]).delete()
