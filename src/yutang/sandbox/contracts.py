"""What a sandbox is told of its world: the corp, its members, its customers, and how they behave."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from datetime import datetime
from math import inf, isfinite
from typing import TYPE_CHECKING, TypeVar, cast

from yutang.kernel.calendars import zone
from yutang.kernel.errors import BadInput
from yutang.kernel.ids import salt

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

HABITS = ("at_once", "late", "night", "never")
CAPS = ("monthly", "weekly", "daily")
ROOT = 1
STATUSES = (1, 2, 4, 5)

T = TypeVar("T", bound="DataclassInstance")


@dataclass(frozen=True, slots=True)
class Member:
    """A staff account. `habit` is one of HABITS, or weights over them from which each task draws its own.

    `offgate_per_day` is the expected number of mass sends that the member makes on their own each business day;
    `moments_per_day` that of the moments.
    `departments`: the main one first; `leads`: those of them that the member leads. `status` (WeCom doc 90201): 1
    active, 2 disabled, 4 not activated, 5 left. `gender`: 1 male, 2 female, 0 not said.
    """

    userid: str
    name: str
    habit: str | Mapping[str, float] = "at_once"
    offgate_per_day: float = 0.0
    departments: tuple[int, ...] = (ROOT,)
    leads: tuple[int, ...] = ()
    status: int = 1
    position: str = ""
    alias: str = ""
    gender: int = 0
    mobile: str = ""
    email: str = ""
    direct_leader: str = ""
    moments_per_day: float = 0.0


@dataclass(frozen=True, slots=True)
class Department:
    """A department below another; the root (id 1) is there without being named. The higher `order`, the earlier."""

    id: int
    name: str
    parentid: int = ROOT
    order: int = 0
    name_en: str = ""


@dataclass(frozen=True, slots=True)
class Customer:
    """A synthetic customer: `daily_rate` baskets a day, lognormal amounts (mu, sigma of the logarithm of the amount).

    `lift` is the relative increase of that rate while a received message works: 0.2 is a fifth more. `discount` is the
    share of list prices that they get off on average; amounts are what was paid.
    """

    external_userid: str
    name: str
    member_no: str | None = None
    daily_rate: float = 0.0
    basket_mu: float = 3.0
    basket_sigma: float = 0.5
    store_code: str = ""
    category_weights: Mapping[str, float] = field(default_factory=lambda: {"general": 1.0})
    lift: float = 0.0
    discount: float = 0.0


@dataclass(frozen=True, slots=True)
class Relation:
    """A friendship of a member and a customer. A side that deletes the other does so at its instant.

    After the customer's deletion the platform still shows the relation, and sends fail with status 2; after the
    member's deletion every call answers 84061 (WeCom doc 90313).
    """

    userid: str
    external_userid: str
    added_at: datetime
    last_talk_at: datetime | None = None
    customer_deleted_at: datetime | None = None
    member_deleted_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Spec:
    """A world. `start_at` is where its business clock starts; `zone` says where its days and months begin.

    `cap` is how many mass messages one customer can receive: monthly = as many as the month has days, weekly = 7,
    daily = 1 (WeCom doc 92135). `dispatch_seconds` and `token_seconds` are wall-clock seconds. `concurrent` is the
    number of calls of one API under way at once beyond which 45033 is answered (undocumented; users report 5).
    `scans_per_day`: how many new people scan each contact way on a day, on average, without being asked.
    `arrivals_per_day` new people a day (a Poisson number) scan a member's code, and from then on buy `arrival_rate`
    baskets a day.
    `sync_secret` is the contact-sync secret, where there is one. The app, of `agent_id`, sees the subtrees of
    `visible_departments` (none named: everybody); an `old_app` is told members' telephones and e-mails. The corp has
    `account_cap` accounts, which is what its daily messages are counted by.
    The corp may ask for `moments_per_minute` moments (wall clock), of which a customer is shown `moments_per_month` in
    a natural month: a rule that the platform changed several times.
    """

    corp_id: str
    secret: str
    seed: int
    start_at: datetime
    members: tuple[Member, ...] = ()
    customers: tuple[Customer, ...] = ()
    relations: tuple[Relation, ...] = ()
    departments: tuple[Department, ...] = ()
    effect_days: float = 7.0
    zone: str = "Asia/Shanghai"
    currency: str = "CNY"
    cap: str = "monthly"
    dispatch_seconds: float = 3.0
    token_seconds: int = 7200
    per_minute: int = 10_000
    per_hour: int = 150_000
    concurrent: int = 5
    trusted_ips: tuple[str, ...] = ()
    scans_per_day: float = 0.0
    arrivals_per_day: float = 0.0
    arrival_rate: float = 0.01
    sync_secret: str = ""
    agent_id: int = 1_000_002
    account_cap: int = 1_000
    visible_departments: tuple[int, ...] = ()
    old_app: bool = False
    moments_per_minute: int = 10
    moments_per_month: int = 4


def spec_json(spec: Spec) -> dict[str, object]:
    """The spec as plain JSON values, as `POST /control/seed` takes it."""
    return cast("dict[str, object]", json.loads(_dumps(spec)))


def read_spec(body: object) -> Spec:
    """A spec from JSON. Raises BadInput naming the field that cannot stand."""
    values = dict(_fields("spec", body, Spec))
    values["start_at"] = instant("start_at", values.get("start_at"))
    rooms: tuple[tuple[str, Callable[[str, object], object]], ...] = (
        ("members", read_member),
        ("customers", read_customer),
        ("relations", read_relation),
        ("departments", read_department),
    )
    for name, reader in rooms:
        rows = _list(name, values.get(name, []))
        values[name] = tuple(reader(f"{name}[{index}]", row) for index, row in enumerate(rows))
    values["trusted_ips"] = tuple(str(ip) for ip in _list("trusted_ips", values.get("trusted_ips", [])))
    values["visible_departments"] = _numbers("visible_departments", values.get("visible_departments", []))
    return checked(_build("spec", Spec, values))


def read_member(where: str, row: object) -> Member:
    """A member from JSON."""
    values = dict(_fields(where, row, Member))
    for name in ("departments", "leads"):
        if name in values:
            values[name] = _numbers(f"{where}.{name}", values[name])
    return _build(where, Member, values)


def read_department(where: str, row: object) -> Department:
    """A department from JSON."""
    return _build(where, Department, _fields(where, row, Department))


def read_customer(where: str, row: object) -> Customer:
    """A customer from JSON."""
    return _build(where, Customer, _fields(where, row, Customer))


def read_relation(where: str, row: object) -> Relation:
    """A relation from JSON; instants are ISO 8601 with a zone."""
    values = dict(_fields(where, row, Relation))
    values["added_at"] = instant(f"{where}.added_at", values.get("added_at"))
    for name in ("last_talk_at", "customer_deleted_at", "member_deleted_at"):
        if values.get(name) is not None:
            values[name] = instant(f"{where}.{name}", values[name])
    return _build(where, Relation, values)


def instant(where: str, value: object) -> datetime:
    """An aware instant from ISO 8601 text. Raises BadInput."""
    try:
        at = value if isinstance(value, datetime) else datetime.fromisoformat(cast("str", value))
    except (TypeError, ValueError):
        raise bad(where, "应为带时区的时间", "must be a time with a zone, such as 2017-11-01T09:00:00+00:00") from None
    if at.tzinfo is None:
        raise bad(where, "时间缺少时区", "the time has no zone")
    return at


def digest(spec: Spec) -> str:
    """A fingerprint of the whole spec: equal specs have equal ones."""
    return f"{salt(_dumps(spec)):016x}"


def checked(spec: Spec) -> Spec:
    """The spec itself, once everything in it can stand. Raises BadInput."""
    zone(spec.zone)
    if spec.start_at.tzinfo is None:
        raise bad("start_at", "时间缺少时区", "the time has no zone")
    if spec.cap not in CAPS:
        raise bad("cap", f"应为 {'、'.join(CAPS)} 之一", f"must be one of {', '.join(CAPS)}")
    if not 0 <= spec.scans_per_day <= 1000:
        raise bad("scans_per_day", "应在 0–1000", "must be 0–1,000")
    limits = (spec.per_minute, spec.per_hour, spec.concurrent, spec.token_seconds, spec.moments_per_minute)
    if min(*limits, spec.moments_per_month) < 1 or spec.effect_days < 0:
        raise bad("per_minute", "各项上限应为正数", "limits must be positive")
    if not 0 <= spec.arrivals_per_day <= 1000 or not 0 <= spec.arrival_rate <= 50:
        raise bad(
            "arrivals_per_day",
            "应在 0–1000，arrival_rate 应在 0–50",
            "must be 0–1000, and arrival_rate 0–50",
        )
    for member in spec.members:
        weights = habit_weights(member)
        if not weights or set(weights) - set(HABITS) or min(weights.values()) < 0 or sum(weights.values()) <= 0:
            raise bad(
                f"members.{member.userid}.habit",
                f"应为 {'、'.join(HABITS)} 或它们的权重",
                f"must be one of {', '.join(HABITS)}, or weights over them",
            )
    for customer in spec.customers:
        where = f"customers.{customer.external_userid}"
        numbers = (customer.daily_rate, customer.basket_mu, customer.basket_sigma, customer.lift)
        if (
            not all(isfinite(number) for number in numbers)
            or customer.daily_rate > 50
            or min(numbers[0], *numbers[2:]) < 0
        ):
            raise bad(
                where,
                "daily_rate 应在 0–50，basket_sigma 与 lift 不能为负",
                "daily_rate must be 0–50, basket_sigma and lift not negative",
            )
        if not 0 <= customer.discount <= 0.9:
            raise bad(f"{where}.discount", "应在 0–0.9", "must be 0–0.9")
        shares = customer.category_weights.values()
        if not shares or min(shares) < 0 or not 0 < sum(shares) < inf:
            raise bad(
                f"{where}.category_weights", "至少一个品类的权重为正", "at least one category needs a positive weight"
            )
    _known(spec)
    _placed(spec)
    return spec


def habit_weights(member: Member) -> dict[str, float]:
    """The member's habit as weights over HABITS."""
    return {member.habit: 1.0} if isinstance(member.habit, str) else dict(member.habit)


def _known(spec: Spec) -> None:
    members = {member.userid.lower() for member in spec.members}
    customers = {customer.external_userid for customer in spec.customers}
    if len(members) != len(spec.members) or len(customers) != len(spec.customers):
        raise bad("members", "同一个 id 出现了两次", "an id appears twice (userids ignore case)")
    for relation in spec.relations:
        if relation.userid.lower() not in members or relation.external_userid not in customers:
            raise bad(
                f"relations.{relation.userid}.{relation.external_userid}",
                "成员或客户不存在",
                "its member or its customer is not in the spec",
            )


def _placed(spec: Spec) -> None:
    """The departments are a tree below the root, in which every member has a place."""
    parents = {one.id: one.parentid for one in spec.departments if one.id != ROOT}
    if len({one.id for one in spec.departments}) != len(spec.departments) or min(parents, default=ROOT) < ROOT:
        raise bad("departments", "部门 id 应为正整数，且不能重复", "ids must be positive and appear once")
    for number in parents:
        seen: set[int] = set()
        while number != ROOT:
            if number in seen or number not in parents:
                raise bad(f"departments.{number}", "上级部门不存在", "its parents do not lead to the root")
            seen.add(number)
            number = parents[number]
    known = {ROOT, *parents}
    for member in spec.members:
        if not member.departments or not set(member.departments) <= known or member.status not in STATUSES:
            raise bad(
                f"members.{member.userid}.departments",
                f"部门应在 departments 里，status 应为 {STATUSES} 之一",
                f"must be departments of the spec, and status one of {STATUSES}",
            )


def bad(where: str, zh: str, en: str) -> BadInput:
    """A BadInput that names a field of what was sent."""
    return BadInput(f"沙盒：{where}：{zh}。", f"Sandbox, {where}: {en}.")


def _dumps(spec: Spec) -> str:
    return json.dumps(spec, default=_plain, sort_keys=True)


def _plain(value: object) -> object:
    if is_dataclass(value):
        return {name: getattr(value, name) for name in value.__dataclass_fields__}
    return value.isoformat() if isinstance(value, datetime) else dict(cast("Mapping[str, object]", value))


def _list(where: str, value: object) -> Sequence[object]:
    if not isinstance(value, list | tuple):
        raise bad(where, "应为列表", "must be a list")
    return value


def _numbers(where: str, value: object) -> tuple[int, ...]:
    numbers = _list(where, value)
    if not all(isinstance(one, int) and not isinstance(one, bool) for one in numbers):
        raise bad(where, "应为整数的列表", "must be a list of whole numbers")
    return tuple(cast("Sequence[int]", numbers))


def _fields(where: str, row: object, kind: type[DataclassInstance]) -> Mapping[str, object]:
    if not isinstance(row, dict):
        raise bad(where, "应为对象", "must be an object")
    unknown = row.keys() - {spot.name for spot in fields(kind)}
    if unknown:
        raise bad(f"{where}.{min(unknown)}", "没有这个字段", "there is no such field")
    return row


_KINDS: dict[str, tuple[type, ...]] = {
    "str": (str,),
    "str | None": (str, type(None)),
    "int": (int,),
    "bool": (bool,),
    "float": (int, float),
    "str | Mapping[str, float]": (str, dict),
    "Mapping[str, float]": (dict,),
}


def _build(where: str, kind: type[T], values: Mapping[str, object]) -> T:
    types = {spot.name: str(spot.type) for spot in fields(kind)}
    for name, value in values.items():
        wanted = _KINDS.get(types[name])
        if wanted and (not isinstance(value, wanted) or (isinstance(value, bool) and wanted != (bool,))):
            raise bad(f"{where}.{name}", f"应为 {types[name]}", f"must be {types[name]}")
        if isinstance(value, dict) and not all(isinstance(weight, int | float) for weight in value.values()):
            raise bad(f"{where}.{name}", "权重应为数", "weights must be numbers")
    try:
        return kind(**values)
    except TypeError:
        raise bad(where, "缺少必填的字段", f"a required field of {kind.__name__} is missing") from None
