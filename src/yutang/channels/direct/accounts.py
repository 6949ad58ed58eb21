"""The accounts by which the brand speaks itself: set, shown, tried out."""

from __future__ import annotations

import re
import secrets
import threading
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.db.models import Count, Q, Sum

from yutang.channels.contracts import AnswerLost, CannotCarry, MessageContent, Permit
from yutang.channels.direct.addresses import allowances
from yutang.channels.direct.contracts import LEFT, OPEN, AccountFacts, Adapter, Answer, Given, Kind, Letter, LetterState
from yutang.channels.direct.registry import kind_named, kinds
from yutang.channels.models import Letter as LetterRow
from yutang.channels.models import Outlet
from yutang.kernel.errors import BadInput, NotFound, Refused
from yutang.log.contracts import IdentifierValue
from yutang.organisation import services as organisation
from yutang.organisation.queries import OWNER, brand, channel_account, channel_accounts
from yutang.people.identifiers import normalised
from yutang.people.links import address, link_of
from yutang.people.queries import find_values

if TYPE_CHECKING:
    from yutang.organisation.contracts import ChannelAccountFacts, Viewer

_CORP = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_adapters: dict[tuple[str, str], tuple[Mapping[str, str], Adapter]] = {}
_lock = threading.Lock()


def adapter_of(account: ChannelAccountFacts) -> Adapter:
    """The adapter of an account: one in this process as long as its settings stay, since it keeps tokens."""
    key = (account.channel, account.corp)
    with _lock:
        known = _adapters.get(key)
        if known is None or known[0] != account.settings:
            made = kind_named(account.kind).connect(Given(account.corp, account.settings))
            known = _adapters[key] = (account.settings, made)
        return known[1]


def account_named(channel: str, corp: str) -> ChannelAccountFacts:
    """One of them. Raises NotFound."""
    found = channel_account(channel, corp)
    if found is None or found.kind not in kinds():
        raise NotFound(f"没有账号「{channel} {corp[:64]}」。", f"There is no account “{channel} {corp[:64]}”.")
    return found


def keep_account(
    viewer: Viewer, kind_name: str, corp: str, given: Mapping[str, str], *, title: str = "", node: str = "brand",
    cost: str = "", per_second: str = "", on: bool = True,
) -> AccountFacts:  # fmt: skip
    """Keep an account, new or changed. A secret that is left empty stays as it was. Raises BadInput and Refused."""
    _headquarters(viewer)
    kind, corp = kind_named(kind_name), corp.strip()
    if not _CORP.fullmatch(corp):
        raise BadInput(
            f"{kind.key_zh}只能用字母、数字和 . _ -，至多 64 个。",
            f"{kind.key_en}: letters, digits and . _ -, at most 64.",
        )
    capabilities = kind.capabilities
    before = channel_account(capabilities.channel, corp)
    settings = _settings(kind, given, before.settings if before is not None and before.kind == kind.name else {})
    kind.connect(Given(corp, settings))
    with transaction.atomic():
        organisation.keep_channel_account(
            kind.name, capabilities.channel, corp, title.strip()[:80] or corp, node, settings,
            cost=_number(cost, "单价", "The cost", capabilities.cost), on=on,
            per_second=float(_number(per_second, "每秒条数", "The rate", Decimal(str(capabilities.per_second)))),
        )  # fmt: skip
        Outlet.objects.filter(channel=capabilities.channel, corp=corp).update(
            paused_until=None, trouble_zh="", trouble_en=""
        )
        organisation.audit(viewer, "keep_channel", f"{kind.name} {corp}", on=on)
    return next(one for one in accounts(viewer) if (one.channel, one.corp) == (capabilities.channel, corp))


def _settings(kind: Kind, given: Mapping[str, str], before: Mapping[str, str]) -> dict[str, str]:
    settings: dict[str, str] = {}
    for one in kind.fields:
        said = given.get(one.name, "").strip()
        value = said or (before.get(one.name, "") if one.secret else "") or one.default
        if one.needed and not value:
            raise BadInput(f"请填写「{one.zh}」。", f"Fill in “{one.en}”.")
        if len(value) > 20_000 or (not one.lines and "\n" in value):
            raise BadInput(f"「{one.zh}」太长，或不应换行。", f"“{one.en}” is too long, or must be one line.")
        if value:
            settings[one.name] = value
    return settings


def _number(text: str, zh: str, en: str, default: Decimal) -> Decimal:
    if not text.strip():
        return default
    try:
        value = Decimal(text.strip())
    except InvalidOperation:
        value = Decimal(-1)
    if not (value.is_finite() and 0 <= value < 100_000):
        raise BadInput(f"{zh}应是 0 到 99999 之间的数。", f"{en} is a number between 0 and 99,999.")
    return value.quantize(Decimal("0.0001"))


def accounts(viewer: Viewer) -> list[AccountFacts]:
    """Every account with how it is doing, by kind and name."""
    _headquarters(viewer)
    outlets = {(row.channel, row.corp): row for row in Outlet.objects.all()}
    unknown = (LetterState.UNKNOWN.value,)
    states = {"waiting": OPEN, "left": LEFT, "bounced": (LetterState.BOUNCED,), "unknown": unknown}
    counts = {name: Count("pk", filter=Q(state__in=[str(state) for state in of])) for name, of in states.items()}
    rows = LetterRow.objects.values("mailing__channel", "mailing__corp").annotate(**counts, spent=Sum("cost"))
    done = {(row["mailing__channel"], row["mailing__corp"]): row for row in rows}
    result = []
    for one in channel_accounts():
        outlet = outlets.get((one.channel, one.corp))
        row: Mapping[str, Any] = done.get((one.channel, one.corp), {})
        result.append(
            AccountFacts(
                one.kind, one.channel, one.corp, one.title, one.on, one.cost, one.per_second, one.node,
                (outlet.trouble_zh, outlet.trouble_en) if outlet else ("", ""), outlet.paused_until if outlet else None,
                row.get("waiting", 0), row.get("left", 0), row.get("bounced", 0), row.get("unknown", 0),
                Decimal(row.get("spent") or 0).quantize(Decimal("0.0001")),
            )
        )  # fmt: skip
    return result


def shown_settings(viewer: Viewer, channel: str, corp: str) -> dict[str, str]:
    """An account's settings without its secrets, as a form shows them."""
    _headquarters(viewer)
    account = account_named(channel, corp)
    hidden = {one.name for one in kind_named(account.kind).fields if one.secret}
    return {name: value for name, value in account.settings.items() if name not in hidden}


def callback_address(viewer: Viewer, channel: str, corp: str) -> str:
    """Where an account's provider is to call back. It holds a secret part: to be shown to headquarters only."""
    _headquarters(viewer)
    account = account_named(channel, corp)
    return f"{address()}/direct/{account.kind}/{account.corp}/{account.token}"


def send_test(viewer: Viewer, channel: str, corp: str, recipient: str, text: str) -> Answer:
    """Send a message at once to an address that is typed, such as one's own; kept nowhere, and tried once.

    Raises BadInput, CannotCarry, and Pause where the account cannot send.
    """
    _headquarters(viewer)
    account = account_named(channel, corp)
    kind, adapter = kind_named(account.kind), adapter_of(account)
    addressed_by = kind.capabilities.addressed_by or ""
    namespace = account.corp if kind.capabilities.namespaced else ""
    to = normalised(IdentifierValue(addressed_by, namespace, recipient), brand().country).value
    if not to or (addressed_by == "phone" and not to.startswith("+")) or (addressed_by == "email" and "@" not in to):
        raise BadInput("请填写自己的号码或地址。", "Give a number or an address of your own.")
    content = MessageContent(text.replace("\r\n", "\n").strip(), permit=Permit("test", marketing=False))
    if not content.text:
        raise BadInput("请写一段要试发的文案。", "Write a text to be tried out.")
    adapter.size(content)
    uid = new_uid()
    person = find_values(OWNER, addressed_by, [to]).get(to)
    letter = Letter(uid, uid, to, content, link_of(person) if person is not None else "")
    organisation.audit(viewer, "test_channel", f"{account.kind} {corp}")
    try:
        answers = list(adapter.send([letter], allowances(addressed_by, namespace, [to])))
    except AnswerLost as lost:
        raise CannotCarry(lost.zh, lost.en) from None
    return answers[0]


def new_uid() -> str:
    """The id of a letter, or of a call: unguessable, and of letters and digits only, since it stands in Message-IDs."""
    return f"lt{secrets.token_hex(15)}"


def _headquarters(viewer: Viewer) -> None:
    if not (viewer.may_operate and viewer.sees_all):
        raise Refused(
            "渠道账号以整个品牌的名义发言，请找总部运营。",
            "These accounts speak for the whole brand; ask headquarters.",
        )
