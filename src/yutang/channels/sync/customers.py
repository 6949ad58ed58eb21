"""The sync of customers: every relation of every member who is an account of ours, and what they are called.

Members are read by the hundred, four hundreds at a time. What is no longer shown has ended only where a member was
read to the end, has a licence, and says so again when asked alone: silence is no word.
"""

from __future__ import annotations

import hashlib
import queue
import threading
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

from django.db import connection, transaction

from yutang.channels.contracts import Customer, Customers, RefusedByPlatform
from yutang.channels.sync import known
from yutang.channels.sync.contracts import Found, Hinted, Kind, Progress
from yutang.channels.sync.known import Key, Reading, Row
from yutang.channels.wecom.callbacks import Notice
from yutang.channels.wecom.client import WeComClient
from yutang.channels.wecom.customers import MEMBERS_A_CALL, WeComCustomers
from yutang.kernel.clock import business_now
from yutang.kernel.encryption import keyring
from yutang.kernel.turns import my_turn
from yutang.log.queries import waiting
from yutang.organisation.contracts import AccountFacts, CorpFacts
from yutang.organisation.queries import accounts

PARALLEL = 4  # calls at a time: the platform's limit is not documented, users report 5
PORTION = 4_000  # relations in one transaction: half a second, for which callbacks wait
AHEAD = 60  # pages that are read before they are kept
MOST_WAITING = 500_000  # events before the pump, over which the sync rests: the door closes at two million
REST = 0.5
ABOUT_A_MEMBER = frozenset({40003, 41054, 60011, 60030, 60111, 84074})
"""Refusals for one of the members asked, because of whom the others must not be kept silent about."""


def sync(corp: CorpFacts, client: WeComClient, told: Progress) -> Found:
    """Read all relations of a corp's accounts, and make it so here."""
    api = WeComCustomers(client)
    staff = staff_of(corp)
    members = sorted(set(api.follow_users()), key=str.casefold)
    ours = [member for member in members if member.casefold() in staff]
    parts = [_Part.of(ours[first : first + MEMBERS_A_CALL]) for first in range(0, len(ours), MEMBERS_A_CALL)]
    done: list[str] = list(told.cursor.get("done", ()))
    left = [part for part in parts if part.name not in done]
    finished = sum(len(part.members) for part in parts) - sum(len(part.members) for part in left)
    found, silent = told.found, int(told.cursor.get("silent", 0))
    told(finished, len(ours))
    reading = Reading.of(corp, staff, history=told.first)
    with _reading(api, left) as pages:
        for part, page in pages:
            told(finished, len(ours))
            if page is not None:
                part.waits += page.relations
                part.silent |= {member.casefold() for member in page.unlicensed}
            while len(part.waits) >= PORTION or (page is None and part.waits):
                rest(told, finished, len(ours))
                with my_turn(), transaction.atomic():
                    fresh, keys = reading.seen(part.waits[:PORTION], part.began)
                del part.waits[:PORTION]
                part.shown |= keys
                part.found += fresh
            if page is None:
                gone = _gone(api, corp, staff, part)
                with my_turn(), transaction.atomic():
                    found += part.found + Found(ended=reading.unseen(gone, part.began))
                    silent += len(part.silent)
                    done.append(part.name)
                    told.keep({"done": done, "silent": silent}, found)
                finished += len(part.members)
                part.shown = set()
    told(finished, len(ours))
    return found + Found(note=_note(len(members) - len(ours), silent, [account.id for account in staff.values()]))


def staff_of(corp: CorpFacts) -> dict[str, AccountFacts]:
    """A corp's accounts by their userids, whose case does not matter."""
    return {one.userid.casefold(): one for one in accounts(corp.channel, corp.corp)}


@dataclass(slots=True)
class _Part:
    """Some members, and how far they were read. `began`: Unix seconds before which nothing was asked of them."""

    members: tuple[str, ...]
    name: str
    began: int = 0
    waits: list[Customer] = field(default_factory=list)
    shown: set[Key] = field(default_factory=set)
    silent: set[str] = field(default_factory=set)
    found: Found = field(default_factory=Found)

    @staticmethod
    def of(members: Sequence[str]) -> _Part:
        named = "\x1f".join(members).casefold().encode()
        return _Part(tuple(members), hashlib.blake2b(named, digest_size=6).hexdigest())


@contextmanager
def _reading(api: WeComCustomers, parts: Sequence[_Part]) -> Iterator[Iterator[tuple[_Part, Customers | None]]]:
    """Reads parts, several at a time, as far ahead as there is room; gives their pages as they come, and None at the
    end of each. What a reader raises is raised here."""
    pages: queue.Queue[tuple[_Part | None, Customers | Exception | None]] = queue.Queue(AHEAD)
    stop = threading.Event()

    def put(part: _Part | None, page: Customers | Exception | None) -> bool:
        while not stop.is_set():
            try:
                pages.put((part, page), timeout=0.1)
            except queue.Full:
                continue
            return True
        return False

    def read(part: _Part) -> None:
        try:
            if stop.is_set():
                return
            part.began = int(business_now().timestamp())
            for page in _pages_of(api, part.members):
                if not put(part, page):
                    return
            put(part, None)
        except Exception as error:  # noqa: BLE001  # raised again where it is waited for
            put(part, error)
        finally:
            connection.close()  # the business clock reads the store

    def each() -> Iterator[tuple[_Part, Customers | None]]:
        ended = 0
        while ended < len(parts):
            part, page = pages.get()
            if isinstance(page, Exception):
                raise page
            assert part is not None
            ended += page is None
            yield part, page

    with ThreadPoolExecutor(PARALLEL) as pool:
        for part in parts:
            pool.submit(read, part)
        try:
            yield each()
        finally:
            stop.set()


def _pages_of(api: WeComCustomers, members: Sequence[str]) -> Iterator[Customers]:
    """The pages of these members. One who is refused spoils none of the others, and counts as silent."""
    try:
        yield from api.pages_of(members)
    except RefusedByPlatform as refused:
        if refused.errcode not in ABOUT_A_MEMBER:
            raise
        if len(members) == 1:
            yield Customers((), tuple(members))
            return
        half = len(members) // 2
        yield from _pages_of(api, members[:half])
        yield from _pages_of(api, members[half:])


def _gone(api: WeComCustomers, corp: CorpFacts, staff: Mapping[str, AccountFacts], part: _Part) -> dict[Key, Row]:
    """The relations of a part that are known to stand, be it by a list, were not shown, and are not in the member's own
    list either."""
    told = {int(staff[name].id): member for member in part.members if (name := member.casefold()) not in part.silent}
    if listed := known.only_listed(corp.corp, told, part.shown):
        with my_turn(), transaction.atomic():
            known.take(listed)
    missing: dict[int, dict[Key, Row]] = defaultdict(dict)
    for key, row in known.rows_of("sender", told).items():
        if row.standing.shown and key not in part.shown:
            missing[key[1]][key] = row
    return _confirmed(api, corp, {told[sender]: rows for sender, rows in missing.items()})


def _confirmed(api: WeComCustomers, corp: CorpFacts, missing: Mapping[str, dict[Key, Row]]) -> dict[Key, Row]:
    """Of these relations of members, those that the member's own list lacks too: cursors may lose a row while data
    change, and one whose list is refused has told nothing."""
    ring = keyring()
    gone: dict[Key, Row] = {}
    for member, rows in missing.items():
        try:
            there = {known.who_of(ring, corp.corp, one) for one in api.customers_of(member)}
        except RefusedByPlatform as refused:
            if refused.errcode not in ABOUT_A_MEMBER | {701008}:
                raise
            continue
        gone.update((key, row) for key, row in rows.items() if key[0] not in there)
    return gone


def rest(told: Progress, finished: int, total: int) -> None:
    """Let the pump come after: what waits before it must not close the door to others."""
    pause = threading.Event()
    while waiting() > MOST_WAITING:
        told(finished, total)
        pause.wait(REST)


def _note(strangers: int, silent: int, senders: Sequence[int]) -> tuple[str, str]:
    """What a person should know: of whom nothing could be read, and who has several of our staff as friends."""
    shared = known.shared_customers(senders)
    zh, en = [], []
    if shared:
        zh.append(f"{shared:,} 位客户同时是两位以上员工的好友")
        en.append(f"{shared:,} customers are friends of two or more of the staff")
    if strangers:
        zh.append(f"{strangers:,} 位成员不在本系统的员工里，他们的客户没有读取")
        en.append(f"{strangers:,} members are none of the staff here, and their customers were not read")
    if silent:
        zh.append(f"平台没有告知 {silent:,} 位成员的客户（没有互通许可或不可见），他们的关系保持原样")
        en.append(
            f"of {silent:,} members the platform told nothing (no licence, or out of sight); theirs stay as they are"
        )
    return "；".join(zh) + ("。" if zh else ""), "; ".join(en) + ("." if en else "")


# Hints ------------------------------------------------------------------------------------------------------------


def ref_of(notice: Notice) -> str:
    """A callback about a customer hints at the customer."""
    return notice.get("ExternalUserID")


def again(corp: CorpFacts, client: WeComClient, refs: Sequence[str]) -> None:
    """Read these customers again, whoever follows them."""
    api = WeComCustomers(client)
    staff = staff_of(corp)
    ring = keyring()
    began = int(business_now().timestamp())
    with ThreadPoolExecutor(PARALLEL) as pool:
        shown = [one for several in pool.map(api.customer, refs) for one in several]
    named = {int(account.id): account.userid for account in staff.values()}
    whos = {known.who_of(ring, corp.corp, ref) for ref in refs}
    told = {
        (known.who_of(ring, corp.corp, one.external_userid), int(staff[one.member.casefold()].id))
        for one in shown
        if one.member.casefold() in staff
    }
    missing: dict[str, dict[Key, Row]] = defaultdict(dict)
    for key, row in known.rows_of("who", whos).items():
        if row.standing.shown and key not in told and key[1] in named:
            missing[named[key[1]]][key] = row
    gone = _confirmed(api, corp, missing)
    reading = Reading.of(corp, staff, history=False)
    with my_turn(), transaction.atomic():
        reading.seen(shown, began)
        reading.unseen(gone, began)


KIND = Kind("customers", "客户", "customers", sync)
HINTED = Hinted(
    "customer",
    frozenset(
        f"change_external_contact/{change}"
        for change in ("add_external_contact", "edit_external_contact", "del_external_contact", "transfer_fail")
    ),
    ref_of,
    again,
)
