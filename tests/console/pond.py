"""A small pond with a sandbox, made through the real services and served from its own process.

`python -m tests.console.pond DIRECTORY` prints one line of JSON once it answers: its address and what paths are filled
with. `--empty` serves a directory that nothing was set up in.
"""

from __future__ import annotations

import json
import struct
import sys
import zlib
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
from msgspec.structs import replace

NOW = datetime(2026, 3, 2, 2, 0, 5, tzinfo=UTC)  # ten in the morning in Shanghai
PASSWORD = "still-water-runs"
CORP = "ww-test"
STORES = ("s1", "s2", "s3")
CATEGORIES = ("蔬果", "乳品", "面包", "日用")
# Days between visits, and how many days ago somebody came last; the 60th to 31st day back holds a gap for `BACK`.
STOPS = (0, 0, 0, 0, 1, 2, 17, 25, 40, 80)
BACK = range(40, 52)
CUSTOMERS = 60
GROUPS = {
    "wr-a": ("guide-s1-a", "一号店老客群", range(40)),
    "wr-b": ("guide-s2-b", "二号店尝鲜群", range(20, 26)),
    "wr-c": ("guide-s2-a", "二号店团购群", range(30, 34)),
}
INVITED = range(4, CUSTOMERS, 7)  # who came by the card of one who had come before
PLANTED = "钓具"  # of an order of the first customer at a store that is not theirs
WROTE = 18  # a friend of the first store's first guide, who wrote to her this morning
PROSPECTS = 8
CAMPAIGN_STARTS = datetime(2025, 12, 31, 17, tzinfo=UTC)  # on New Year's morning in Shanghai; every second customer


def has_friend(who: int) -> bool:
    """Whether a guide ever was somebody's friend."""
    return who % 11 != 5


def inviter_of(who: int) -> tuple[int, int]:
    """By whom one of `INVITED` came, and how many days ago."""
    return (who * 5 + 1) % 20, who % 29


def has_lost(who: int) -> bool:
    """Whether that friendship has ended."""
    return who % 13 == 4


def main() -> None:
    """Make the pond and serve it until interrupted."""
    from django.conf import settings

    from yutang.app import house, serve

    directory = Path(sys.argv[1])
    house.configure(directory)
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # the real one takes half a second
    opened = house.open_house(directory)
    filled = {} if "--empty" in sys.argv else found(opened, directory)
    try:
        told = {"directory": str(directory), **filled}
        serve.serve(opened, 0, lambda address: print(json.dumps({"address": address, **told}), flush=True))
    except KeyboardInterrupt:
        pass
    finally:
        opened.close()


def found(opened, directory: Path) -> dict[str, object]:  # type: ignore[no-untyped-def]  # House needs Django
    """Everything of the pond; returns what paths are filled with."""
    from yutang.connect.services import open_ways
    from yutang.intake.mirror import mirror_nodes
    from yutang.intake.pump import pump_until_empty
    from yutang.kernel.clock import business_clock
    from yutang.layers.ladder import climb
    from yutang.log.services import record
    from yutang.organisation import services as organisation
    from yutang.organisation.contracts import NodeKind, RoleName
    from yutang.organisation.departments import DepartmentRow, keep_departments
    from yutang.organisation.services import NewNode, NewSender
    from yutang.people.services import load_persons
    from yutang.playbooks.services import keep_shipped
    from yutang.profiles.services import rebuild
    from yutang.profiles.values.services import bring

    with business_clock(NOW):
        organisation.set_up_brand("青石超市", "CNY", "Asia/Shanghai", demo=True)
        nodes = [NewNode("north", "北区", NodeKind.REGION), NewNode("south", "南区", NodeKind.REGION, synthetic=True)]
        nodes += [
            NewNode(
                code,
                f"{code[1:]}号店",
                NodeKind.STORE,
                "north" if code != "s3" else "south",
                place=(31.2, 121.4 + int(code[1:]) / 10),
            )
            for code in STORES
        ]
        organisation.add_nodes(nodes)
        organisation.connect_corp("wecom", CORP, "secret-of-the-corp")
        keep_departments(
            "wecom", CORP, [DepartmentRow(1, None, "总部"), DepartmentRow(2, 1, "东区"), DepartmentRow(3, 2, "新门店")]
        )
        organisation.add_senders(
            NewSender(store, f"导购{store[1:]}{letter}", "wecom", CORP, f"guide-{store}-{letter}", synthetic=True)
            for store in STORES
            for letter in "ab"
        )
        organisation.add_user("owner", PASSWORD, RoleName.OWNER)
        organisation.add_user("keeper", PASSWORD, RoleName.MANAGER, "s1")
        organisation.add_user("changer", PASSWORD, RoleName.MANAGER, "s1")  # whose password a test changes
        organisation.add_user("twofold", PASSWORD, RoleName.ANALYST)  # to whom tests give a second factor
        organisation.issue_token("till", ["events:write"])
        keep_shipped()
        _illustrated()
        mirror_nodes(opened.warehouse)
        load_persons(_prospects(), source="till", corp=CORP)
        record(_events())
        _pushed()
        pump_until_empty(opened.warehouse)
        rebuild(opened.warehouse, NOW)
        bring(opened.warehouse)
        climb(opened.warehouse)
        plan = _plan(opened.warehouse)
        record(list(_own_sends()))
        pump_until_empty(opened.warehouse)
        _doubtful()
        groups = _groups()
        worked = _by_hand()
        _handed_over()
    if "--phone" in sys.argv:
        loosen()
    organisation.step_clock(NOW)
    _sandbox(directory)
    with business_clock(NOW):
        talk = _talk(directory)
    return {
        **talk,
        **_paths(),
        **_uploads(opened.warehouse),
        "plan": plan,
        "slug": open_ways()["store_poster"][0].slug,
        **groups,
        "list": worked,
    }


def loosen() -> None:
    """Let every regular be somebody to be contacted today, beside what the pond's plan asks of them anyhow; so guides
    who open the phone have five. Nobody is held out, or it would be luck who is shown."""
    from yutang.documents.queries import find
    from yutang.documents.services import save_document
    from yutang.reach.policy import PersonCaps, PolicyDocument
    from yutang.tasks.documents import TodayDocument

    policy, document = find(PolicyDocument, "default").document, find(TodayDocument, "today").document
    assert isinstance(document, TodayDocument)
    save_document(policy.model_copy(update={"caps": PersonCaps(day=None, week=None, month=None)}), "owner")
    wide = {"least_orders": 2, "from_ratio": 0.01, "to_ratio": 20.0}
    reasons = tuple(one.model_copy(update=wide) if one.why == "overdue" else one for one in document.reasons)
    save_document(document.model_copy(update={"hold_out": 0.0, "reasons": reasons}), "owner")


def _pushed() -> None:
    """What platforms pushed: orders that are held, and three leads of somebody who is known."""
    import base64
    import hmac
    import os

    from yutang.channels.webhook.contracts import ALLOW_PRIVATE
    from yutang.channels.webhook.services import add_endpoint
    from yutang.intake.hooks.contracts import Delivery
    from yutang.intake.hooks.services import open_hook, take
    from yutang.organisation.queries import OWNER

    os.environ[ALLOW_PRIVATE] = "1"
    _synced()
    add_endpoint(OWNER, "erp", "http://127.0.0.1:9/nobody-listens", ["order.placed", "lead.submitted"])
    _mailed()
    open_hook("shopify_orders", OWNER, secret="shpss_secret")
    for number, currency in enumerate(("EUR", "USD")):
        order = {"id": 4000 + number, "created_at": "2026-03-01T10:00:00+08:00", "currency": currency}
        order |= {"total_price": "88.00", "customer": {"id": 77 + number, "email": "li@example.com"}}
        body = json.dumps(order).encode()
        sign = base64.b64encode(hmac.digest(b"shpss_secret", body, "sha256")).decode()
        headers = {"x-shopify-hmac-sha256": sign, "x-shopify-topic": "orders/create"}
        take("shopify_orders", "", Delivery(body, headers))
    place = open_hook("oceanengine_leads", OWNER).path.rpartition("/")[2]
    for number in range(3):
        lead = {"clue_id": f"c{number}", "phone": "13800001234", "cost": 30 + number,
                "create_time": "2026-03-01 10:00:00", "form_name": "预约到店", "campaign_id": "春季"}  # fmt: skip
        take("oceanengine_leads", place, Delivery(json.dumps(lead).encode()))


def _mailed() -> None:
    """The brand's mailbox, whose server is away, and what left by it before."""
    from yutang.channels.direct import accounts
    from yutang.channels.models import Letter, Mailing, Outlet
    from yutang.kernel.clock import business_now, wall_now
    from yutang.organisation.queries import OWNER

    given = {"host": "127.0.0.1", "port": "9", "security": "none", "from": "hello@pond.example", "name": "鱼塘"}
    accounts.keep_account(OWNER, "email", "hello", given | {"identity": "鱼塘母婴"}, title="会员邮箱", cost="0.002")
    trouble = "连不上邮件服务器 127.0.0.1，请检查地址。", "The mail server 127.0.0.1 cannot be reached."
    Outlet.objects.create(channel="email", corp="hello", trouble_zh=trouble[0], trouble_en=trouble[1])
    mailing = Mailing.objects.create(uid="ltpond", channel="email", corp="hello", sender="hello", created_at=NOW)
    for index, state in enumerate(("sent", "sent", "delivered", "bounced", "cancelled", "unknown")):
        left = state in ("sent", "delivered", "bounced")
        Letter.objects.create(
            mailing=mailing, uid=f"ltpond{index}", state=state, settled_at=wall_now(), cost="0.002" if left else "0",
            sent_at=business_now() if left else None, reason="" if left else "withdrawn:consent",
        )  # fmt: skip


def _synced() -> None:
    """Syncs of every state: done first, done with what was missed, failed, under way."""
    from datetime import timedelta

    from yutang.channels.sync.models import SyncHint, SyncRun
    from yutang.kernel.clock import wall_now

    now = wall_now()
    common = {"channel": "wecom", "corp": CORP, "kind": "customers"}
    ended = {"started_at": now - timedelta(minutes=9), "ended_at": now - timedelta(minutes=4)}
    SyncRun.objects.create(**common, **ended, state="done", first=True, read=30_412, added=30_412)
    note = {"note_zh": "2 位成员不在本系统的员工里，他们的客户没有读取。",
            "note_en": "2 members are none of the staff here, and their customers were not read."}  # fmt: skip
    SyncRun.objects.create(**common, **ended, **note, state="done", read=30_500, added=12, changed=40, ended=3)
    SyncRun.objects.create(**common, **ended, state="failed", error_zh="请勾选本应用。", error_en="Tick this app.")
    SyncRun.objects.create(**common, state="doing", claimed_by="elsewhere:1:x", by="owner", done=1_200, total=6_000,
                           claim_until=now + timedelta(days=1))  # fmt: skip
    SyncHint.objects.create(channel="wecom", corp=CORP, kind="customer", ref="wm1")


def _doubtful() -> None:
    """Two who may be one, and a number that many share."""
    from yutang.log.contracts import IdentifierValue
    from yutang.organisation.queries import OWNER
    from yutang.people import decisions
    from yutang.people.models import Identifier, Suspect
    from yutang.people.queries import survivors
    from yutang.people.services import resolve

    first, second, third = sorted(set(survivors(np.arange(1, 12)).tolist()))[:3]
    evidence = [
        {"field": "name", "level": "alike", "weight": 3.1},
        {"field": "store", "level": "other", "weight": -2.7},
    ]
    Suspect.objects.create(first=first, second=second, score=0.873, evidence=evidence)
    decisions.say_apart(OWNER, first, third, "母女，电话里核对过")
    till = IdentifierValue("phone", "", "13900000000")
    resolve([[IdentifierValue("member", "old-till", str(number)), till] for number in range(21)], seen_at=NOW)
    assert Identifier.objects.filter(hub=True).exists()


def _own_sends():  # type: ignore[no-untyped-def]
    """What two guides sent on their own three days ago, after which the plan was decided."""
    from yutang.kernel.ids import EventId
    from yutang.log.contracts import Event, IdentifierValue

    for kind, guide, who in (("mass", "guide-s1-a", range(0, 24, 3)), ("moments", "guide-s2-b", range(1, 30, 3))):
        props = {"kind": kind, "send": f"own-{kind}", "content": f"5a1d{kind}", "synthetic": True}
        for number in who:
            of = (IdentifierValue("member", "till", f"{1000 + number}"),)
            at = NOW - timedelta(days=3, minutes=number)
            yield Event(EventId(f"own-{kind}-{number}"), "offgate.sent", at, of, store=guide[6:8], staff=guide,
                        source=f"offgate:{kind}", channel="wecom", props=props)  # fmt: skip


def _prospects() -> pa.Table:
    made_up = range(CUSTOMERS, CUSTOMERS + PROSPECTS)
    return pa.table(
        {
            "external_userid": [f"wm-{who}" for who in made_up],
            "home_store": [STORES[who % 3] for who in made_up],
            "born_at": pa.array([NOW - timedelta(days=120)] * PROSPECTS, pa.timestamp("us", "UTC")),
            "synthetic": [True] * PROSPECTS,
        }
    )


def _events():  # type: ignore[no-untyped-def]  # events need Django
    from yutang.kernel.ids import EventId
    from yutang.log.contracts import Event, IdentifierValue, Line

    def event(kind: str, who: int, at: datetime, key: object = "", **more: object) -> Event:
        names = [IdentifierValue("external_userid", CORP, f"wm-{who}")]
        if who < CUSTOMERS:
            names.insert(0, IdentifierValue("member", "till", f"{1000 + who}"))
        if who == 0:
            names.append(IdentifierValue("phone", "", "13800001234"))
        store = STORES[who % 3]
        return Event(EventId(f"{kind}-{who}-{key}"), kind, at, tuple(names), store=store, source="till", **more)

    found = []
    for who in range(CUSTOMERS + PROSPECTS):
        made_up = who >= CUSTOMERS
        born = NOW - timedelta(days=380 if not made_up else 120)
        found.append(event("person.seen", who, born, props={"name": f"客人{who}", "synthetic": made_up}))
        if has_friend(who):
            found.append(event("relation.added", who, born, staff=f"guide-{STORES[who % 3]}-{'ab'[who % 2]}"))
        if has_lost(who):
            found.append(
                event("relation.lost", who, NOW - timedelta(days=9), staff=f"guide-{STORES[who % 3]}-{'ab'[who % 2]}")
            )
        if who % 17 != 6:
            found.append(
                event("consent.given", who, born, props={"purpose": "marketing", "channel": "*", "proof": "入会登记表"})
            )
        if not made_up:
            found += _orders(who, event, Line)
            if who in INVITED:
                by, ago = inviter_of(who)
                told = {"inviter": f"{1000 + by}", "by": "card"}
                found.append(event("invite.joined", who, NOW - timedelta(days=ago, hours=3), props=told))
            if who % 2:
                told = {"campaign": "spring", "last_day": "2026-01-25"}
                found.append(event("campaign.targeted", who, CAMPAIGN_STARTS, props=told))
    wrote = {"staff": "guide-s1-a", "props": {"kind": "text"}}
    found.append(event("message.received", WROTE, NOW - timedelta(hours=2), **wrote))
    planted = (Line("sku-planted", PLANTED, Decimal(1), Decimal("77.00")),)
    order = {"amount": Decimal("77.00"), "currency": "CNY", "props": {"order_id": "o-planted"}, "lines": planted}
    found.append(replace(event("order.placed", 0, NOW - timedelta(days=1), "planted", **order), store="s2"))
    return found


def order_times(who: int) -> list[datetime]:
    """When a customer ordered: every 3–8 days until their stop, those of `BACK` with a pause before the cut."""
    gap, stop = 3 + who % 6, STOPS[who % len(STOPS)]
    days = [ago for ago in range(378, stop - 1, -gap) if not (who in BACK and 34 - who % 12 < ago < 60)]
    return [NOW - timedelta(days=ago, minutes=37 * (who % 7)) for ago in days]


def _orders(who, event, line):  # type: ignore[no-untyped-def]  # as above
    found = []
    for nth, at in enumerate(order_times(who)):
        lines = tuple(
            line(f"sku-{k}", CATEGORIES[(who + k * nth) % 4], Decimal(1 + k), Decimal(f"{12 + 3 * k + who % 5}.50"))
            for k in range(1 + (who + nth) % 3)
        )
        found.append(
            event(
                "order.placed",
                who,
                at,
                nth,
                amount=sum((one.amount for one in lines), Decimal(0)),
                currency="CNY",
                props={"order_id": f"o-{who}-{nth}"},
                lines=lines,
            )
        )
    return found


def _plan(warehouse) -> int:  # type: ignore[no-untyped-def]  # as above
    """A plan launched by headquarters: decided, its batches waiting for the sandbox's guides."""
    from yutang.documents.queries import find
    from yutang.organisation.queries import OWNER
    from yutang.reach import planning
    from yutang.reach.documents import BroadcastDocument
    from yutang.reach.services import launch

    plan = launch(find(BroadcastDocument, "whole_pool").document, OWNER)
    planning.plan_due(warehouse)
    return int(plan)


def _illustrated() -> None:
    """A content with one of each beside its text."""
    from tests.sandbox.files import mp4
    from yutang.content.documents import Content
    from yutang.content.services import keep_content
    from yutang.files.contracts import FileKind
    from yutang.files.services import keep_file
    from yutang.kernel.documents import parse
    from yutang.organisation.queries import OWNER

    picture = keep_file(FileKind.IMAGE, "新到.png", drawing(480, 640)).address
    cover = keep_file(FileKind.IMAGE, "封面.png", drawing(500, 400)).address
    paper = keep_file(FileKind.FILE, "春季目录.pdf", b"%PDF-1.4 synthetic").address
    data = {
        "kind": "content", "name": "new_arrivals", "title": {"zh": "新品到店（带图）", "en": "New arrivals, pictured"},
        "text": "{称呼|您}好，我是{导购|店员}，新到的几款给您看看。", "voice": "guide",
        "pictures": [{"url": picture, "says": "三款新到的奶粉"}, {"url": cover}],
        "link": {"title": "喂养日历", "url": "https://shop.example/care", "summary": "按月龄看"},
        "mini_program": {"title": "商城上新", "appid": "wx0123456789abcdef", "page": "pages/new", "picture": cover},
        "video": {"url": keep_file(FileKind.VIDEO, "a.mp4", mp4()).address, "title": "怎么冲"},
        "file": {"url": paper, "name": "春季目录.pdf"},
    }  # fmt: skip
    keep_content(parse(Content, data), OWNER, 0)


def drawing(width: int, height: int) -> bytes:
    """A picture that a browser can show."""
    row = b"".join(bytes((60 + 120 * x // width, 130, 150)) for x in range(width))
    body = zlib.compress(b"".join(b"\0" + row for _ in range(height)))
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", head), (b"IDAT", body), (b"IEND", b"")]
    whole = b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + whole


def _by_hand() -> int:
    """A list that a guide has begun to work through."""
    from yutang.channels.contracts import Attached, AttachedKind, MessageContent, Permit
    from yutang.channels.manual.contracts import Result
    from yutang.channels.manual.mass_send import ManualMassSend, number_of
    from yutang.channels.manual.services import note
    from yutang.files.contracts import FileKind
    from yutang.files.services import keep_file
    from yutang.organisation import services as organisation
    from yutang.organisation.queries import OWNER
    from yutang.people.queries import find_by_identifier

    organisation.add_senders([organisation.NewSender("s1", "阿英", "manual", "", "ying")])
    persons = [str(find_by_identifier(OWNER, str(1000 + who))[0]) for who in range(0, 36, 3)]
    text = "姐，这周会员日，常买的那款到货了，\n给您留一件？回个「好」就行。"
    permit = Permit("marketing", "offers", until=NOW + timedelta(hours=6))
    attached = (
        Attached(AttachedKind.IMAGE, keep_file(FileKind.IMAGE, "新到.png", drawing(480, 640)).digest, "三款新到的奶粉"),
        Attached(AttachedKind.FILE, keep_file(FileKind.FILE, "春季目录.pdf", b"synthetic").digest, "春季目录.pdf"),
    )
    content = MessageContent(text, permit=permit, attached=attached)
    number = number_of(ManualMassSend().create_task("ying", persons, content).task_id)
    note(OWNER, number, [1, 2], Result.SENT)
    note(OWNER, number, [3], Result.NOT_REACHED)
    return number


def _uploads(warehouse) -> dict[str, int]:  # type: ignore[no-untyped-def]  # as above
    """Two files of orders: one that waits, and one that was checked and has a bad row."""
    from yutang.intake import uploads
    from yutang.organisation.queries import OWNER

    head = "青石超市销售明细,,,,,,\n单号,会员卡号,下单时间,货号,数量,实付金额,备注\n"
    body = "u1,1000,2026年2月1日 9时05分,sku-0,1,￥12.50,\nu2,1001,2026/2/2,sku-1,2,25.00元,急\n"
    made = []
    for name, text in (("二月.csv", head + body), ("三月.csv", head + body + "u3,1002,03/04/2026,sku-1,1,9,\n")):
        written = uploads.begin_upload()
        written.write(text.encode("gb18030"))
        written.close()
        made.append(uploads.keep_upload(OWNER, written, name, "orders", "till"))
    uploads.start(OWNER, made[1], uploads.Wish(dict(uploads.proposed(OWNER, made[1], uploads.Wish()).columns)))
    uploads.turn(warehouse)
    return {"upload": made[0], "imported": made[1]}


def _sandbox(directory: Path) -> None:
    from yutang.app.serve import sandbox_directory
    from yutang.sandbox import groups
    from yutang.sandbox.contracts import Customer, Member, Relation, Spec
    from yutang.sandbox.store import Store
    from yutang.sandbox.world import seed

    born = NOW - timedelta(days=380)
    guides = [f"guide-{store}-{letter}" for store in STORES for letter in "ab"]
    seed(
        sandbox_directory(directory),
        Spec(
            corp_id=CORP,
            secret="secret-of-the-corp",
            seed=7,
            start_at=NOW,
            members=tuple(Member(guide, guide, "at_once" if guide.endswith("a") else "never") for guide in guides),
            customers=tuple(
                Customer(f"wm-{who}", f"客人{who}", store_code=STORES[who % 3]) for who in range(CUSTOMERS + PROSPECTS)
            ),
            relations=tuple(
                Relation(f"guide-{STORES[who % 3]}-{'ab'[who % 2]}", f"wm-{who}", born)
                for who in range(CUSTOMERS + PROSPECTS)
                if has_friend(who) and not has_lost(who)
            ),
            dispatch_seconds=0.0,
        ),
    )
    store = Store(sandbox_directory(directory))
    with store.write() as con:
        for code, (owner, name, who) in GROUPS.items():
            groups.create(con, owner, name, code)
            groups.join(con, code, [f"wm-{one}" for one in who], inviter=owner)
    store.close()


def _talk(directory: Path) -> dict[str, object]:
    """Somebody asked customer service something, as it is read from the platform."""
    import httpx

    from tests.sandbox.conftest import serving
    from yutang.app.channels import Channels
    from yutang.app.serve import sandbox_directory
    from yutang.channels.kf import inbox, services
    from yutang.channels.wecom.kf import WeComService
    from yutang.organisation.queries import OWNER
    from yutang.sandbox.asgi import create_app

    with serving(create_app(sandbox_directory(directory), events_url=None, events_token=None)) as address:
        port = Channels(address).service()["wecom", CORP]
        assert isinstance(port, WeComService)
        account = port.add_account("青石客服", "picture")
        for do, text in (("enter", ""), ("say", "鸡蛋今天几点到？")):
            body = {"do": do, "open_kfid": account, "external_userid": "wm-3", "text": text}
            httpx.post(f"{address}/control/service", json=body, timeout=300).raise_for_status()
        services.meet_accounts(CORP, port)
        services.read_account(CORP, port, account)
    return {"talk": inbox.inbox(OWNER, "waiting")[0][0].facts.id, "service": account}


def _handed_over() -> None:
    """A hand-over that came to its end: some took place, one customer refused, one group was dissolved meanwhile."""
    from yutang.connect.models import GroupHandover, Handover
    from yutang.kernel.encryption import keyring

    common = {"corp": CORP, "handover": "guide-s1-b", "resigned": False, "by": "owner",
              "asked_at": NOW - timedelta(days=3), "ended_at": NOW - timedelta(days=2)}  # fmt: skip
    for who, state in ((6, "done"), (12, "done"), (18, "refused"), (24, "impossible")):
        name = f"wm-{who}"
        Handover.objects.create(
            **common, takeover="guide-s1-a", customer=name, who=keyring().lookup_hash("external_userid", CORP, name),
            state=state, reason="接替成员的客户数已到上限 / The taker is full" if state == "impossible" else "",
        )  # fmt: skip
    GroupHandover.objects.create(**common, takeover="guide-s1-a", chat="wr-gone", state="impossible",
                                 reason="群已经解散。 / The group was dissolved.")  # fmt: skip


def _groups() -> dict[str, object]:
    """The groups as a sync would keep them, with a code that leads into the last two."""
    from django.db import transaction

    from yutang.connect.group_ways import GroupWayForm, keep_group_way
    from yutang.kernel.clock import wall_now
    from yutang.log.contracts import IdentifierValue
    from yutang.organisation.queries import OWNER
    from yutang.people import grouped
    from yutang.people.groups import GroupTold, MemberTold, keep_groups

    def told(code: str, gone: int = 0) -> GroupTold:
        owner, name, who = GROUPS[code]
        members = [
            MemberTold(
                (IdentifierValue("external_userid", CORP, f"wm-{one}"),),
                NOW - timedelta(days=5 + 2 * index),
                1 + 2 * (index % 2),
                owner if index % 2 == 0 else "",
                "",
            )
            for index, one in enumerate(list(who)[gone:])
        ]
        made, notice = NOW - timedelta(days=120), "文明沟通，周三上新。"
        return GroupTold(code, name, owner, "followed", made, notice, (), (owner,), "", tuple(members))

    for gone, at in ((0, NOW - timedelta(days=9)), (3, NOW - timedelta(days=3))):
        with transaction.atomic():
            keep_groups(CORP, [told(code, gone) for code in GROUPS], read_at=wall_now(), now=at, synthetic=True)
    numbers = {one.code: one.id for one in grouped.groups(OWNER)[0]}
    way = keep_group_way(OWNER, GroupWayForm("门店海报进群", (numbers["wr-b"], numbers["wr-c"]), "老客群 ", 3))
    return {"group": numbers["wr-a"], "group_way": way}


def _paths() -> dict[str, object]:
    from yutang.organisation.queries import OWNER
    from yutang.people.queries import find_by_identifier

    def one(text: str) -> int:
        return int(find_by_identifier(OWNER, text)[0])

    from yutang.people.links import token_of

    shown = {"person": one("1000"), "link": token_of(one("1000"))}
    return {**shown, "lost": one("1004"), "prospect": one(f"wm-{CUSTOMERS}"), "elsewhere": one("1001")}


if __name__ == "__main__":
    main()
