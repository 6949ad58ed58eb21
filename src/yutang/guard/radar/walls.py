"""Every wall: what it is, and how it stands now. A new one is a `Wall` and a function that says its `Standing`s.

Each function asks for numbers of whole corps at once; none walks over people. One that cannot be read now (a platform
that does not answer) raises a YutangError: the others are told all the same, and this one stands as it stood before.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pyarrow as pa

from yutang.channels.acquisition.queries import quotas
from yutang.channels.direct.accounts import accounts as direct_accounts
from yutang.channels.kf.queries import accounts_held
from yutang.channels.ports.moments import MomentsPort, Origin
from yutang.channels.queries import pictures_kept
from yutang.channels.sync.queries import customers_held, tags_held
from yutang.connect.contracts import GroupWayState
from yutang.connect.group_ways import group_ways
from yutang.connect.queries import codes_held
from yutang.guard.radar.contracts import EntryFacts, EntryKind, Source, Standing, Wall
from yutang.guard.radar.documents import WallsDocument
from yutang.kernel.calendars import day_start
from yutang.kernel.ids import SenderId
from yutang.organisation.contracts import SenderFacts
from yutang.organisation.queries import OWNER
from yutang.people.grouped import friends_held, outsiders
from yutang.warehouse.contracts import Warehouse, named

WECOM = "wecom"
MONTH = timedelta(days=30)
MOST_SUBJECTS = 50
"""Of many things of a corp only so many are followed: the fullest."""

MomentsPorts = Mapping[tuple[str, str], MomentsPort]


@dataclass(frozen=True, slots=True)
class Before:
    """How a thing stood when it was last looked at, and the `more` of about a month ago."""

    counted: Decimal
    more: Mapping[str, object]
    month_ago: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Look:
    """What the walls are seen by: the moment, the document, the corps with their accounts, and what is known of
    before, by wall, corp and subject."""

    now: datetime
    day: date
    zone: str
    document: WallsDocument
    accounts: Mapping[str, Sequence[SenderFacts]]
    entries: Sequence[EntryFacts]
    before: Mapping[tuple[str, str, str], Before]
    warehouse: Warehouse
    moments: MomentsPorts = field(default_factory=dict)

    def most(self, wall: str) -> Decimal | None:
        """The document's number for a wall; None where it says none, and the wall is left out."""
        limit = self.document.limits.get(wall)
        return None if limit is None else Decimal(limit.most)

    def end_of(self, day: date) -> datetime:
        """The last instant of a local day."""
        return day_start(day + timedelta(days=1), self.zone).astimezone(UTC)

    def ids(self, corp: str) -> list[SenderId]:
        """The corp's accounts."""
        return [one.id for one in self.accounts[corp]]


Reader = Callable[[Look], Iterable[Standing]]


def _contacts(look: Look) -> Iterable[Standing]:
    sold = look.document.contacts
    for corp in look.accounts:
        mine = look.ids(corp)
        used = (customers_held(mine).customers or friends_held(mine)) + outsiders(corp, mine)
        bought = [one for one in look.entries if one.kind is EntryKind.CONTACTS and one.corp in ("", corp)]
        bought = [one for one in bought if one.ends_on is None or one.ends_on >= look.day]
        most = sold.free + sum((one.most for one in bought), Decimal(0))
        left = max(most - used, Decimal(0))
        ends = tuple((look.end_of(one.ends_on), min(one.most, left)) for one in bought if one.ends_on)
        step = sold.size_for(max(used, int(most)) + 1)
        yield Standing(
            "contacts", corp, Decimal(used), most, expiring=ends, price=step.price if step else None,
        )  # fmt: skip


def _account_contacts(look: Look) -> Iterable[Standing]:
    most = look.most("account_contacts")
    for corp, accounts in look.accounts.items() if most is not None else ():
        fullest = customers_held([one.id for one in accounts]).fullest
        if fullest is not None:
            userid = next(one.userid for one in accounts if one.id == fullest[0])
            yield Standing("account_contacts", corp, Decimal(fullest[1]), most or Decimal(0), title=userid)


def _codes(look: Look) -> Iterable[Standing]:
    most, held = look.most("codes"), codes_held()
    for corp in look.accounts if most is not None else ():
        yield Standing("codes", corp, Decimal(held.get(corp, 0)), most or Decimal(0))


def _links(look: Look) -> Iterable[Standing]:
    for quota in quotas():
        before = look.before.get(("links", quota.corp, ""))
        parts = sorted((at, count) for at, count in quota.expiring)
        yield Standing(
            "links",
            quota.corp,
            Decimal(quota.total - quota.balance),
            Decimal(quota.total),
            counted=_spent(quota.total, quota.balance, before, look.now),
            expiring=tuple((at, Decimal(count)) for at, count in parts if at > look.now),
            more={
                "total": quota.total,
                "balance": quota.balance,
                "expiring": [[int(at.timestamp()), count] for at, count in parts],
            },
        )


def _spent(total: int, balance: int, before: Before | None, now: datetime) -> Decimal:
    """How many came by links ever: what is gone without what expired unused since the last look."""
    if before is None:
        return Decimal(total - balance)
    then_total, then_balance = (int(str(before.more.get(name, 0))) for name in ("total", "balance"))
    parts = before.more.get("expiring")
    expired = sum(count for at, count in parts if at <= now.timestamp()) if isinstance(parts, list) else 0
    return before.counted + max(0, then_balance + (total - then_total) - balance - expired)


def _group_seats(look: Look) -> Iterable[Standing]:
    room = look.most("group_seats")
    ways = [one for one in group_ways(OWNER) if one.state is GroupWayState.LIVE and not one.room_name and one.groups]
    filled = sorted(ways, key=lambda one: -sum(group.size for group in one.groups) / len(one.groups))
    for one in filled[:MOST_SUBJECTS] if room is not None else ():
        taken = sum(min(Decimal(group.size), room or Decimal(0)) for group in one.groups)
        seats = (room or Decimal(0)) * len(one.groups)
        yield Standing("group_seats", one.corp, Decimal(taken), seats, str(one.id), one.title)


def _received(look: Look) -> Iterable[Standing]:
    return _most_received(look, "received", "mass")


def _group_received(look: Look) -> Iterable[Standing]:
    return _most_received(look, "group_received", "group")


def _most_received(look: Look, wall: str, kind: str) -> Iterable[Standing]:
    most = look.most(wall)
    if most is None or not look.accounts:
        return
    every = [(int(one.id), int(one.staff), corp) for corp, rows in look.accounts.items() for one in rows]
    staff = dict.fromkeys((person, corp) for _, person, corp in every)
    tables = {
        "mine": pa.table(
            {
                "sender": pa.array([sender for sender, _, _ in every], pa.int64()),
                "corp": pa.array([corp for _, _, corp in every], pa.string()),
            }
        ),
        "theirs": pa.table(
            {
                "staff": pa.array([person for person, _ in staff], pa.int64()),
                "corp": pa.array([corp for _, corp in staff], pa.string()),
            }
        ),
    }
    params = {"since": look.now - MONTH, "until": look.now, "near": int(most * Decimal("0.8")), "kind": kind}
    found = {
        row["corp"]: row for row in look.warehouse.query(named("guard/radar/received", params, tables)).to_pylist()
    }
    for corp in look.accounts:
        row = found.get(corp, {"most": 0, "near": 0})
        yield Standing(wall, corp, Decimal(row["most"]), most, more={"near": row["near"]})


def _moments(look: Look) -> Iterable[Standing]:
    most = look.most("moments")
    for (_, corp), port in look.moments.items() if most is not None else ():
        made = port.find_moments(look.now - MONTH + timedelta(seconds=1), look.now, Origin.CORP)
        yield Standing("moments", corp, Decimal(len(made)), most or Decimal(0))


def _tags(look: Look) -> Iterable[Standing]:
    most = look.most("tags")
    for corp in look.accounts if most is not None else ():
        yield Standing("tags", corp, Decimal(tags_held(corp)), most or Decimal(0))


def _service_accounts(look: Look) -> Iterable[Standing]:
    most = look.most("service_accounts")
    for corp, held in accounts_held().items() if most is not None else ():
        yield Standing("service_accounts", corp, Decimal(held), most or Decimal(0))


def _pictures(look: Look) -> Iterable[Standing]:
    most = look.most("pictures")
    for corp, kept in pictures_kept().items() if most is not None else ():
        before = look.before.get(("pictures", corp, ""))
        then = int(str(before.month_ago.get("kept", 0))) if before else 0
        yield Standing("pictures", corp, Decimal(max(kept - then, 0)), most or Decimal(0), more={"kept": kept})


def _balances(look: Look) -> Iterable[Standing]:
    written = [one for one in look.entries if one.kind is EntryKind.BALANCE]
    if not written:
        return
    spent = {f"{one.channel}:{one.corp}": one for one in direct_accounts(OWNER)}
    for one in written:
        account = spent.get(one.corp)
        used = account.spent if account else one.used
        title = account.title if account else one.title
        yield Standing("balance", one.corp, max(used - one.used, Decimal(0)), one.most, str(one.id), title, used)


def _licences(look: Look) -> Iterable[Standing]:
    for one in look.entries:
        if one.ends_on is not None:
            ends, most = look.end_of(one.ends_on), max(one.most, Decimal(1))
            more = {"ends_on": one.ends_on.isoformat()}
            yield Standing(
                "licence", one.corp, Decimal(0), most, str(one.id), one.title, None, ((ends, most),), one.price, more
            )


def _others(look: Look) -> Iterable[Standing]:
    for one in look.entries:
        if one.kind is EntryKind.OTHER and one.most:
            yield Standing("other", one.corp, one.used, one.most, one.title[:64], one.title, None, (), one.price)


WALLS: tuple[tuple[Wall, Reader], ...] = (
    (
        Wall(
            "contacts",
            Source.COUNTED,
            ("外部联系人规模", "Contacts"),
            ("位", "contacts"),
            (
                "满了加不了新客户，也不能邀请客户进群，朋友圈、群公告发不出去；要买更大的规模（按年）。",
                "No new friend can be added and nobody invited into groups; a larger size must be bought, by the year.",
            ),
            "contacts",
        ),
        _contacts,
    ),
    (
        Wall(
            "account_contacts",
            Source.COUNTED,
            ("最满的成员账号", "The fullest account"),
            ("位", "friends"),
            (
                "这个成员加不了新客户，也接不了别人的客户（40099）；可申请扩容，或换人接待。",
                "This member can add and take over nobody (40099); ask for more, or let another stand on duty.",
            ),
            "contacts",
        ),
        _account_contacts,
    ),
    (
        Wall(
            "codes",
            Source.COUNTED,
            ("活码和群活码", "Contact ways and group codes"),
            ("个", "codes"),
            (
                "新的活码做不出来（41045）；别的软件做的也算在内，这里只数得到我们做的。",
                "No new code can be made (41045). Codes made by other software count too; we only see our own.",
            ),
            "codes",
        ),
        _codes,
    ),
    (
        Wall(
            "links",
            Source.READ,
            ("获客链接额度", "Acquisition links"),
            ("位", "friends"),
            (
                "用完之后，点开获客链接的人加不上好友；过期的部分作废。",
                "Who opens a link cannot become a friend any more; what expires is lost.",
            ),
            "links",
        ),
        _links,
    ),
    (
        Wall(
            "group_seats",
            Source.COUNTED,
            ("群活码的空位", "Seats behind a group code"),
            ("人", "people"),
            (
                "码后面的群都满了，扫码的人进不去；加一个群，或让它自动建群。",
                "All groups behind the code are full and nobody gets in; add a group, or let it create them.",
            ),
            "groups",
        ),
        _group_seats,
    ),
    (
        Wall(
            "received",
            Source.COUNTED,
            ("单个客户 30 天收到的群发", "Mass messages to one customer in 30 days"),
            ("条", "messages"),
            (
                "到了上限，平台不再把群发给这位客户（状态 3），闸内闸外都算。",
                "The platform hands this customer no more of them (status 3), whoever sent those before.",
            ),
            moving=True,
        ),
        _received,
    ),
    (
        Wall(
            "group_received",
            Source.COUNTED,
            ("单个客户 30 天在群里收到的群发", "Group sends to one customer in 30 days"),
            ("条", "messages"),
            (
                "每个群每月也有上限；这里按客户所在的群合计，偏早提醒。",
                "Each group has a cap a month too; here all groups of a customer count together, so it warns early.",
            ),
            moving=True,
        ),
        _group_received,
    ),
    (
        Wall(
            "moments",
            Source.READ,
            ("企业朋友圈 30 天条数", "The corp's Moments in 30 days"),
            ("条", "moments"),
            (
                "超过的条数，客户看不到。",
                "Customers are not shown what is beyond.",
            ),
            moving=True,
        ),
        _moments,
    ),
    (
        Wall(
            "tags",
            Source.READ,
            ("企业标签", "Corp tags"),
            ("个", "tags"),
            ("新标签建不出来（40126）。", "No new tag can be made (40126)."),
        ),
        _tags,
    ),
    (
        Wall(
            "service_accounts",
            Source.READ,
            ("客服账号", "Accounts of customer service"),
            ("个", "accounts"),
            ("新账号建不出来（95005）。", "No new account can be made (95005)."),
        ),
        _service_accounts,
    ),
    (
        Wall(
            "pictures",
            Source.COUNTED,
            ("30 天上传的永久图片", "Pictures uploaded for good in 30 days"),
            ("张", "pictures"),
            (
                "当月不能再上传永久图片，欢迎语和群发的图文要用已有的。",
                "No more can be uploaded that month; use those that are there.",
            ),
            moving=True,
        ),
        _pictures,
    ),
    (
        Wall(
            "balance",
            Source.ENTERED,
            ("短信、邮件账户余额", "Balance of a provider's account"),
            ("元", "yuan"),
            (
                "余额用完，这个渠道发不出去；花费按账户设置里的单价由我们累计。",
                "Nothing leaves by this channel; what was spent is summed by the price in the account's settings.",
            ),
        ),
        _balances,
    ),
    (
        Wall(
            "licence",
            Source.ENTERED,
            ("到期的许可和服务", "Licences and services"),
            ("份", "licences"),
            (
                "到期后停用；没有接口能读到，请按合同填写。",
                "They end then. No API tells; see your contract.",
            ),
        ),
        _licences,
    ),
    (
        Wall(
            "other",
            Source.ENTERED,
            ("自己记的额度", "Other limits, by hand"),
            ("", ""),
            ("按您填的数跟踪；记得定期更新。", "Followed by the numbers that you write down; keep them fresh."),
        ),
        _others,
    ),
)
"""In the order in which they are shown."""

BY_NAME: Mapping[str, Wall] = {wall.name: wall for wall, _ in WALLS}


def expiring_days(standing: Standing, now: datetime) -> list[tuple[float, float]]:
    """What ends when, in days from now."""
    found: dict[float, float] = defaultdict(float)
    for at, amount in standing.expiring:
        found[max((at - now).total_seconds() / 86_400, 0.0)] += float(amount)
    return sorted(found.items())
