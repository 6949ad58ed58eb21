"""What providers call back with: reports, replies, and what customers allow. Kept before it is answered, and again does
no harm."""

from __future__ import annotations

import hmac
from collections.abc import Iterable

from django.db import transaction

from yutang.channels.direct import addresses
from yutang.channels.direct.accounts import adapter_of
from yutang.channels.direct.contracts import Heard, LetterState, Reply, Report, Told
from yutang.channels.direct.registry import kind_named, kinds
from yutang.channels.direct.short_messages import says_stop
from yutang.channels.models import HeardOnce, Letter
from yutang.kernel.clock import business_now, wall_now
from yutang.kernel.encryption import keyring
from yutang.kernel.errors import NotFound
from yutang.kernel.ids import EventId, PersonId
from yutang.kernel.turns import my_turn
from yutang.log.contracts import Event
from yutang.log.services import record
from yutang.organisation.contracts import ChannelAccountFacts
from yutang.organisation.queries import OWNER, channel_account
from yutang.people.contracts import ALL_CHANNELS
from yutang.people.queries import find_values, standing_consents
from yutang.people.services import ConsentWord, apply_consents

MOST_BYTES = 2_000_000
MARKETING = "marketing"
_MAY_BECOME = {
    LetterState.DELIVERED: (LetterState.SENDING, LetterState.SENT, LetterState.UNKNOWN),
    LetterState.BOUNCED: (LetterState.SENDING, LetterState.SENT, LetterState.UNKNOWN, LetterState.DELIVERED),
}


def hear(kind_name: str, corp: str, token: str, heard: Heard) -> Told:
    """Take a callback. Raises NotFound for an address that is none of ours, BadInput for what cannot be read."""
    kind = kinds().get(kind_name)
    account = channel_account(kind.capabilities.channel, corp) if kind is not None else None
    if account is None or account.kind != kind_name or not hmac.compare_digest(account.token.encode(), token.encode()):
        raise NotFound("没有这个回调地址。", "There is no such address for callbacks.")
    told = adapter_of(account).hear(heard)
    with my_turn(), transaction.atomic():
        if not told.key or _first(f"{kind_name}:{corp}:{told.key}"):
            _keep(account, told)
    return told


def _first(key: str) -> bool:
    digest = keyring().lookup_hash("heard", key)
    return HeardOnce.objects.get_or_create(digest=digest)[1]


def _keep(account: ChannelAccountFacts, told: Told) -> None:
    capabilities = kind_named(account.kind).capabilities
    addressed_by, namespace = capabilities.addressed_by or "", account.corp if capabilities.namespaced else ""
    for report in told.reports:
        _keep_report(account, addressed_by, namespace, report)
    for reply in told.replies:
        if says_stop(reply.text) and _first(f"{account.kind}:{account.corp}:{reply.recipient}:{reply.key}"):
            withdraw(account.channel, _persons(addressed_by, [reply]), reply.text[:40], reply.key, account.kind)
    for opened in told.opened:
        addresses.open_window(addressed_by, namespace, opened)
    for word in told.subscribed:
        addresses.subscribe(addressed_by, namespace, word)


def _persons(addressed_by: str, replies: Iterable[Reply]) -> list[PersonId]:
    return list(find_values(OWNER, addressed_by, [one.recipient for one in replies]).values())


def _keep_report(account: ChannelAccountFacts, addressed_by: str, namespace: str, report: Report) -> None:
    for row in _letters_of(account, report):
        recipient = row.recipient or report.recipient
        allowed = [state.value for state in _MAY_BECOME[report.state]]
        changes: dict[str, object] = {"state": report.state.value, "reason": report.reason[:60], "recipient": None}
        changes |= {"settled_at": wall_now()} | ({} if row.sent_at else {"sent_at": business_now()})
        Letter.objects.filter(pk=row.pk, state__in=allowed).update(**changes)
        if report.bad_address and recipient:
            addresses.note_dead(addressed_by, namespace, recipient, report.reason)
        if report.complaint and row.person is not None:
            withdraw(account.channel, [PersonId(row.person)], "complaint", f"{account.kind}:{row.uid}", account.kind)


def _letters_of(account: ChannelAccountFacts, report: Report) -> list[Letter]:
    """The letters that a report is about; of a call of many the one to that recipient."""
    rows = Letter.objects.filter(mailing__channel=account.channel, mailing__corp=account.corp)
    if report.uid:
        return list(rows.filter(uid=report.uid))
    found = list(rows.filter(call=report.call)) if report.call else []
    if not found and report.provider_id:
        found = list(rows.filter(provider_id=report.provider_id))
    return [row for row in found if not report.recipient or row.recipient == report.recipient]


def withdraw(channel: str, persons: Iterable[PersonId], proof: str, key: str, source: str) -> None:
    """Take persons at their word that a channel is to stop: every purpose that stands there, and marketing in any case.
    In the caller's transaction; `key` names the word, so that told twice it is one."""
    at = business_now()
    words = []
    for person in persons:
        standing = standing_consents(person)
        purposes = {
            purpose for (purpose, on, to), yes in standing.items() if yes and not to and on in (channel, ALL_CHANNELS)
        }
        if standing.get((MARKETING, channel, ""), standing.get((MARKETING, ALL_CHANNELS, ""), True)):
            purposes.add(MARKETING)
        words += [
            ConsentWord(person, purpose, channel, False, at, proof, "", source[:80]) for purpose in sorted(purposes)
        ]
    if words:
        apply_consents(words)
        record([_event(word, key) for word in words])


def _event(word: ConsentWord, key: str) -> Event:
    """The event of a word that counts already: applied once more by the pump, it is the same word."""
    props = {"purpose": word.purpose, "channel": word.channel, "proof": word.proof}
    digest = keyring().lookup_hash("withdrawn", key, str(word.person), word.purpose).hex()
    id = EventId(f"{word.source}:{digest}")
    return Event(
        id, "consent.withdrawn", word.at, person=word.person, source=word.source, channel=word.channel, props=props
    )
