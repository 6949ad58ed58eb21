"""Making contact ways, keeping them at the platform as they should be, noting who comes by them.

A code is asked for once: the attempt is kept before the platform is called, and a lost answer is looked for in the
platform's list by our own state before anything is asked again.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import structlog
from django.db import transaction

from yutang.channels.acquisition import services as acquisition
from yutang.channels.acquisition.contracts import LinkNews
from yutang.channels.acquisition.queries import quotas
from yutang.channels.contracts import AnswerLost, ContactWayPort, RefusedByPlatform, TryLater, UnexpectedAnswer, WaySpec
from yutang.channels.ports.inheritance import ACQUISITION, AcquisitionPort
from yutang.connect.contracts import PLATFORMS, CodeState
from yutang.connect.documents import ContactWay
from yutang.connect.models import Code, Join, Way
from yutang.connect.routing import led
from yutang.documents import services as documents
from yutang.documents.contracts import StoredDocument
from yutang.documents.queries import current, documents_of
from yutang.intake.lease import lives, me
from yutang.kernel.calendars import day_start, local_day, zone
from yutang.kernel.clock import business_now, wall_now
from yutang.kernel.documents import parse
from yutang.kernel.encryption import keyring
from yutang.kernel.errors import BadInput, NotFound, Refused, YutangError
from yutang.kernel.failpoints import failpoint
from yutang.kernel.ids import EventId, NodeId
from yutang.log.contracts import Event
from yutang.log.services import record
from yutang.organisation import services as organisation
from yutang.organisation.contracts import AccountFacts, NodeFacts, NodeKind, Viewer
from yutang.organisation.queries import accounts, corps, nodes
from yutang.people.bulk import chunks

WayPorts = Mapping[tuple[str, str], ContactWayPort]

CALL_LIFE = timedelta(minutes=2)  # after which a call that nobody finished is lost, whoever made it
SEARCH = timedelta(minutes=15)  # how far around the call its code may have been made
GIVE_UP = timedelta(minutes=5)  # a code that is still not listed so long after the call was never made
ASK_AGAIN = timedelta(minutes=5)
CALLS_A_TURN = 20
QUOTA_EVERY = timedelta(minutes=10)
PICTURES = {b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg"}
MOST_PICTURE = 500_000
WECOM = "wecom"
_DELETED = (
    "有人在管理后台删除了这个获客链接；修改并保存会重新生成一个（地址会变）",
    "Somebody deleted this link in the admin console; save the way again to have another made (its address changes)",
)
_UNAVAILABLE = (
    "链接里的员工暂时都加不了客户，请换人，或让他们检查企业微信的添加额度",
    "None of the link's staff can add customers for now; name others, or let them check their limits in WeCom",
)
JOINED = frozenset({"relation.added", "relation.half_added"})
_log = structlog.get_logger(__name__)


def keep_way(document: ContactWay, viewer: Viewer, picture: bytes | None = None) -> StoredDocument:
    """Keep a contact way as the next version of its name, with the QR picture of one without an API.

    Its code at the platform follows at the next turn. Raises BadInput or Refused, and then nothing was kept.
    """
    if not viewer.may_operate:
        raise Refused(
            "你的角色不能修改活码，请找总部运营。", "Your role may not change contact ways; ask headquarters."
        )
    node = _node_of(document)
    if not viewer.sees(node.id):
        raise Refused("这个门店或区域不在您的范围内。", "That store or region is outside your scope.")
    _check_staff(document, viewer)
    kind = None if picture is None else _kind_of(picture)
    with transaction.atomic():
        before = next((one for one in documents_of(ContactWay) if one.name == document.name), None)
        if before is not None and not viewer.sees(_node_of(before).id):
            raise Refused("已有同名的活码，请换一个名称。", "A contact way of that name exists; choose another name.")
        if (
            before is not None
            and before.channel != document.channel
            and {before.channel, document.channel} <= {*PLATFORMS}
        ):
            raise BadInput(
                "channel：活码和获客链接不能互换，请新建一个。",
                "channel: a code and an acquisition link are not changed into one another; make a new one.",
            )
        stored = documents.save_document(document, viewer.name)
        way = _row(document.name)
        Code.objects.filter(way=way, state=CodeState.GONE).update(
            state=CodeState.WANTED, config_id="", qr_code="", told="", trouble="", not_before=None
        )
        if picture is not None and kind is not None:
            way.picture, way.picture_type = picture, kind
            way.save(update_fields=["picture", "picture_type"])
        elif document.channel == "manual" and document.link is None and way.picture is None:
            raise BadInput(
                "没有接口的活码要给出 link，或上传员工的二维码图片。",
                "A manual way needs a link, or the picture of the staff's QR code.",
            )
        organisation.audit(viewer, "keep", f"contact way {document.name}", version=stored.version)
    return stored


def _kind_of(picture: bytes) -> str:
    kind = next((kind for magic, kind in PICTURES.items() if picture.startswith(magic)), None)
    if kind is None or len(picture) > MOST_PICTURE:
        raise BadInput("二维码图片应是 500 kB 以内的 PNG 或 JPEG。", "The picture is a PNG or JPEG of at most 500 kB.")
    return kind


def _node_of(document: ContactWay) -> NodeFacts:
    for node in nodes():
        if node.code == document.at:
            return node
    raise BadInput(
        f"at：没有编号为「{document.at}」的门店或区域。",
        f"at: there is no store or region with the code “{document.at}”.",
    )


def _check_staff(document: ContactWay, viewer: Viewer) -> None:
    if document.channel not in PLATFORMS or document.routing is None:
        return
    corp = corp_of(document)
    if corp is None and document.corp:
        raise BadInput(f"corp：没有连接企业「{document.corp}」。", f"corp: “{document.corp}” is not connected.")
    named = document.routing.everyone()
    known = {one.userid.casefold(): one for one in accounts("wecom", corp, named)} if corp and named else {}
    for userid in named:
        account = known.get(userid.casefold())
        if account is None or not viewer.sees(account.store):
            raise BadInput(
                f"routing：没有在用的员工账号「{userid}」。", f"routing: there is no active staff account “{userid}”."
            )


def corp_of(document: ContactWay) -> str | None:
    """The corp whose staff a way leads to: the one that it names, else the first that is connected."""
    known = [one.corp for one in corps() if one.channel == WECOM]
    return next((corp for corp in known if document.corp in (None, corp)), None)


def _row(name: str) -> Way:
    row, _ = Way.objects.get_or_create(name=name, defaults={"slug": secrets.token_hex(5)})
    return row


def open_ways() -> dict[str, tuple[Way, StoredDocument]]:
    """Every current contact way with its row, made where it is new (a shipped one, or one applied from a file)."""
    rows = {row.name: row for row in Way.objects.all()}
    found = {}
    for stored in current(ContactWay):
        name = stored.document.name
        found[name] = (rows[name] if name in rows else _row(name), stored)
    return found


def turn(ports: WayPorts) -> int:
    """Let every code at the platform lead to whom it should now; returns how many calls were made."""
    ways = [
        (row, way)
        for row, stored in open_ways().values()
        if isinstance(way := stored.document, ContactWay) and way.channel in PLATFORMS
    ]
    if not ways:
        return 0
    _wish(ways)
    way_of = {row.pk: way for row, way in ways}
    calls = _look_at_links(ports, way_of)
    calls += _resolve(ports, way_of)
    now = business_now()
    opened = [pk for pk, document in way_of.items() if not document.closed]
    Code.objects.filter(way__in=opened, state=CodeState.CLOSED).update(state=CodeState.WANTED)
    due = Code.objects.filter(way__in=way_of, state__in=[CodeState.WANTED, CodeState.LIVE]).order_by("pk")
    for code in due:
        if calls >= CALLS_A_TURN:
            break
        document = way_of[code.way_id]
        if code.told == _digest(document, code.wish) or (code.not_before and code.not_before > now):
            continue
        if document.closed and code.state == CodeState.WANTED:
            continue
        if not (document.closed or code.wish or _departments(document)):
            continue
        port = ports.get((document.channel, code.corp))
        if port is not None:
            calls += 1
            _tell(port, code, document)
    return calls


def _wish(ways: Sequence[tuple[Way, ContactWay]]) -> None:
    """Work out for each code whom it should lead to now, and make the codes that are not there yet."""
    tree = nodes()
    below = _below(tree)
    now = business_now()
    zone_of = {node.id: node.zone for node in tree}
    by_corp: dict[str, list[AccountFacts]] = {}
    have = {(code.way_id, code.node, code.corp): code for code in Code.objects.all()}
    fresh: list[Code] = []
    for row, document in ways:
        corp = corp_of(document)
        place = next((node for node in tree if node.code == document.at), None)
        if corp is None or place is None or document.routing is None:
            continue
        staff = by_corp.setdefault(corp, accounts("wecom", corp))
        homes = _homes(document, staff, below[place.id])
        for node, home in homes.items():
            zone_name = zone_of.get(NodeId(node), zone_of[place.id])
            to = led(document.routing, home, now.astimezone(zone(zone_name)), taken_today(row.name, now, zone_name))
            code = have.get((row.pk, node, corp))
            if code is None:
                token = f"yt{secrets.token_hex(10)}"
                fresh.append(Code(way=row, node=node, corp=corp, token=token, wish=sorted(to.users), full=to.full))
            elif (code.wish, code.full) != (sorted(to.users), to.full):
                Code.objects.filter(pk=code.pk).update(wish=sorted(to.users), full=to.full)
    Code.objects.bulk_create(fresh, ignore_conflicts=True)


def _homes(document: ContactWay, staff: Sequence[AccountFacts], stores: frozenset[NodeId]) -> dict[int, list[str]]:
    """The codes that a way needs: one for the whole (0), or one for each store that has staff, with that staff."""
    assert document.routing is not None
    if document.routing.by != "nearest":
        return {0: []}
    homes: dict[int, list[str]] = defaultdict(list)
    for one in staff:
        if one.store in stores:
            homes[one.store].append(one.userid)
    return dict(homes)


def _below(tree: Sequence[NodeFacts]) -> dict[NodeId, frozenset[NodeId]]:
    """Every node's stores, itself included."""
    parent = {node.id: node.parent for node in tree}
    stores: dict[NodeId, set[NodeId]] = {node.id: set() for node in tree}
    for node in tree:
        if node.kind is NodeKind.STORE:
            above: NodeId | None = node.id
            while above is not None:
                stores[above].add(node.id)
                above = parent[above]
    return {node: frozenset(found) for node, found in stores.items()}


def taken_today(way: str, now: datetime, zone_name: str) -> Mapping[str, int]:
    """How many came by a way to each member of staff on the local day of an instant."""
    start = day_start(local_day(now, zone_name), zone_name)
    return Counter(Join.objects.filter(way=way, at__gte=start, at__lte=now).values_list("userid", flat=True))


def _digest(document: ContactWay, users: Sequence[str]) -> str:
    """What the platform is to be told of a code, as a short text: equal when nothing needs telling."""
    said = json.dumps(
        [document.title.zh, document.skip_verify, list(users), *_departments(document)], ensure_ascii=False
    )
    if document.closed:
        said += " closed"
    return hashlib.sha256(said.encode()).hexdigest()[:40]


def _spec(code: Code, document: ContactWay) -> WaySpec:
    return WaySpec(
        code.token, document.title.zh, tuple(code.wish), document.skip_verify, departments=_departments(document)
    )


def _departments(document: ContactWay) -> tuple[int, ...]:
    return document.routing.departments if document.routing is not None else ()


def _tell(port: ContactWayPort, code: Code, document: ContactWay) -> None:
    """Ask the platform for a code that is new, or tell it of a change."""
    told = _digest(document, code.wish)
    mine = Code.objects.filter(pk=code.pk)
    try:
        if code.state == CodeState.LIVE and document.closed:
            port.delete_way(code.config_id)
            mine.filter(state=CodeState.LIVE).update(
                state=CodeState.CLOSED, config_id="", qr_code="", users=[], told="", trouble="", not_before=None
            )
            return
        if code.state == CodeState.LIVE:
            port.update_way(code.config_id, _spec(code, document))
            mine.filter(state=CodeState.LIVE).update(users=code.wish, told=told, trouble="", not_before=None)
            return
        holder = me()
        if not mine.filter(state=CodeState.WANTED).update(
            state=CodeState.CALLING, called_at=wall_now(), called_by=holder, calls=code.calls + 1, trouble=""
        ):
            return
        mine = mine.filter(state=CodeState.CALLING, called_by=holder)
        failpoint("way.claimed")
        made = port.create_way(_spec(code, document))
        failpoint("way.answered")
        mine.update(
            state=CodeState.LIVE, config_id=made.config_id, qr_code=made.qr_code, users=code.wish, told=told, trouble=""
        )
    except AnswerLost:
        mine.filter(state=CodeState.CALLING).update(state=CodeState.UNKNOWN, trouble="")
    except (TryLater, UnexpectedAnswer, RefusedByPlatform, BadInput) as error:
        _put_off(code, error)


def _put_off(code: Code, error: YutangError) -> None:
    """The platform said no, or not now: the sentence is shown, and it is asked again later."""
    wait = max(error.until - wall_now(), timedelta(seconds=1)) if isinstance(error, TryLater) else ASK_AGAIN
    row = Code.objects.filter(pk=code.pk)
    row.filter(state=CodeState.CALLING).update(state=CodeState.WANTED)
    row.update(not_before=business_now() + wait, trouble=f"{error.zh} / {error.en}"[:400])


def _said(sentence: tuple[str, str]) -> str:
    return f"{sentence[0]} / {sentence[1]}"[:400]


def close_way(name: str, viewer: Viewer, *, closed: bool = True) -> StoredDocument:
    """Take a way's codes away from the platform, or have them made again; friendships stay. Raises as `keep_way`."""
    before = next((one for one in documents_of(ContactWay) if one.name == name), None)
    if before is None or not viewer.sees(_node_of(before).id):
        raise NotFound(f"没有名为「{name[:63]}」的活码。", f"There is no contact way “{name[:63]}”.")
    return keep_way(parse(ContactWay, {**before.as_data(), "closed": closed}), viewer)


def _look_at_links(ports: WayPorts, way_of: Mapping[int, ContactWay]) -> int:
    """Read the quota of acquisition links now and then, and mark links of which the platform told something."""
    links = {key: port for key, port in ports.items() if isinstance(port, AcquisitionPort)}
    if not any(way.channel == ACQUISITION for way in way_of.values()):
        return 0
    for notice in acquisition.unseen():
        mine = Code.objects.filter(corp=notice.corp, config_id=notice.link_id, state=CodeState.LIVE)
        if notice.news is LinkNews.DELETED:
            mine.update(state=CodeState.GONE, trouble=_said(_DELETED))
        else:
            mine.update(trouble=_said(_UNAVAILABLE))
        acquisition.settle(notice)
    read = {one.corp: one.read_at for one in quotas()}
    calls = 0
    for (_, corp), port in links.items():
        if corp not in read or read[corp] + QUOTA_EVERY <= wall_now():
            calls += 1
            try:
                acquisition.read_quota(corp, port)
            except (TryLater, UnexpectedAnswer, RefusedByPlatform) as error:
                _log.warning("the quota of acquisition links was not read", corp=corp, reason=error.en)
    return calls


def _resolve(ports: WayPorts, way_of: Mapping[int, ContactWay]) -> int:
    """Find out what became of calls without an answer: found by our state, bound; certainly not there, asked again.

    Of several with one state (a platform that answered twice) the first is kept and the others are deleted: nobody has
    been shown them. Returns how many calls that took.
    """
    for code in Code.objects.filter(state=CodeState.CALLING):
        stale = code.called_at is None or code.called_at + CALL_LIFE < wall_now()
        if stale or not lives(code.called_by):
            Code.objects.filter(pk=code.pk, state=CodeState.CALLING).update(state=CodeState.UNKNOWN)
    calls = 0
    for code in Code.objects.filter(state=CodeState.UNKNOWN).order_by("pk")[:CALLS_A_TURN]:
        document = way_of.get(code.way_id)
        port = ports.get((document.channel, code.corp)) if document is not None else None
        if port is not None and code.called_at is not None and not (code.not_before and code.not_before > wall_now()):
            calls += 1
            _look_for(port, code, code.called_at)
    return calls


def _look_for(port: ContactWayPort, code: Code, called_at: datetime) -> None:
    unknown = Code.objects.filter(pk=code.pk, state=CodeState.UNKNOWN)
    now = business_now()  # by which the platform dates its codes: a sandbox keeps the demo's time
    try:
        found = [one for one in port.find_ways(now - SEARCH, now + SEARCH) if one.state == code.token]
        found = found or [
            one for one in port.find_ways(called_at - SEARCH, called_at + SEARCH) if one.state == code.token
        ]
    except (AnswerLost, TryLater, UnexpectedAnswer, RefusedByPlatform) as error:
        unknown.update(not_before=wall_now() + timedelta(seconds=30), trouble=f"{error.zh} / {error.en}"[:400])
        return
    if not found:
        if wall_now() - called_at >= GIVE_UP:
            unknown.update(state=CodeState.WANTED, not_before=None, trouble="")
        else:
            unknown.update(not_before=wall_now() + timedelta(seconds=30))
        return
    first, *others = found
    if unknown.update(
        state=CodeState.LIVE, config_id=first.config_id, qr_code=first.qr_code, users=list(first.users), told="",
        not_before=None, trouble="",
    ):  # fmt: skip
        failpoint("way.found")
        for other in others:
            try:
                port.delete_way(other.config_id)
            except YutangError as error:
                _log.warning("a spare contact way was left", code=code.pk, reason=error.en)


def make_anew(corp: str) -> int:
    """Let every code of a corp be made again: it answers elsewhere, and knows none of them. Returns how many."""
    gone = Code.objects.filter(corp=corp).exclude(state=CodeState.WANTED)
    return gone.update(
        state=CodeState.WANTED, config_id="", qr_code="", users=[], told="", called_at=None, called_by="",
        not_before=None, trouble="",
    )  # fmt: skip


def note_joins(events: Sequence[Event]) -> None:
    """Keep who came by which way to whom; runs in the transaction in which the events arrive."""
    rows = [
        Join(way=str(event.props["way"])[:63], userid=event.staff[:64], who=_who(event), at=event.occurred_at)
        for event in events
        if event.type in JOINED and event.props.get("way") and event.staff and event.identifiers
    ]
    if rows:
        Join.objects.bulk_create(rows, ignore_conflicts=True)
        works = Code.objects.filter(way__name__in={row.way for row in rows}, state=CodeState.LIVE)
        works.filter(trouble=_said(_UNAVAILABLE)).update(trouble="")


def _who(event: Event) -> bytes:
    one = event.identifiers[0]
    return keyring().lookup_hash(one.kind, one.namespace, one.value)


def note_scan(way: str, visitor: str, store: str | None) -> None:
    """Count that somebody opened a way's page. `visitor` tells one from another for a minute, and is not kept.

    Opened again within the minute, it is the same scan.
    """
    now = business_now()
    mark = keyring().lookup_hash("scan", way, visitor, f"{wall_now():%Y%m%d%H%M}").hex()
    record([Event(EventId(f"scan:{mark}"), "way.scanned", now, store=store, source=f"way:{way}")])


def forget_joins(lookups: Sequence[bytes]) -> int:
    """Forget who came by contact ways, by the look-up hashes of their ids; returns how many joins that were. A day's
    count of a guide's new friends may fall by them."""
    return sum(Join.objects.filter(who__in=part).delete()[0] for part in chunks(lookups, 500))
