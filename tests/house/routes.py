"""How every way into the house is asked: each page, API operation and command, with the far store's own numbers.

The ways themselves are read from the code; one that is not listed here makes `test_isolation` fail. `{…}` is filled
from what is planted in the far store. `shows` is what of it the owner is told there.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import click
from django.urls import URLPattern, URLResolver, get_resolver

from tests.sandbox.files import png
from yutang.api.collect_schema import collect_paths
from yutang.api.hooks import hook_paths
from yutang.api.routes import api
from yutang.app.main import root
from yutang.files.contracts import FileKind, digest_of


@dataclass(frozen=True, slots=True)
class Ask:
    """One request. `body` is a form of the console, JSON of the API; `words` are a command's."""

    path: str = ""
    body: dict[str, Any] | None = None
    words: tuple[str, ...] = ()
    shows: tuple[str, ...] = field(default=())


SEGMENT = {
    "kind": "segment",
    "name": "everybody_who_bought",
    "title": {"zh": "买过", "en": "Bought"},
    "where": {"trait": "orders_ever", "at_least": 1},
}
PLAN = {
    "kind": "broadcast",
    "name": "asked",
    "title": {"zh": "试", "en": "Asked"},
    "audience": {"everyone": True},
    "purpose": "marketing",
    "message": {"text": "你好"},
}
BOTH = "one_time_buyers"
TRAIT = "kind: trait\nname: asked_for\ntitle: {zh: 问, en: Asked}\nof: orders\ntake: first\nwhat: source\n"
TRAIT_DATA = {
    "kind": "trait",
    "name": "asked_for",
    "schema": 1,
    "title": {"zh": "问", "en": "Asked"},
    "of": "orders",
    "take": "first",
    "what": "source",
}
"""A segment in which the planted person is."""
PICTURE = digest_of(FileKind.IMAGE, "", png()).hex()
"""A file that is kept, and stands on the planted list."""

API: dict[str, tuple[Ask, ...]] = {
    "POST /events": (Ask("/events", {"events": []}),),
    "GET /traits": (Ask("/traits"),),
    "POST /traits/preview": (Ask("/traits/preview", TRAIT_DATA),),
    "PUT /traits/{name}": (Ask("/traits/asked_for", TRAIT_DATA),),
    "DELETE /traits/{name}": (Ask("/traits/never_was"),),
    "GET /persons/{person}/traits": (Ask("/persons/{person}/traits?day=2026-03-01"),),
    "GET /segments": (Ask("/segments"),),
    "POST /segments/count": (Ask("/segments/count", SEGMENT),),
    "GET /segments/{name}": (Ask(f"/segments/{BOTH}"),),
    "PUT /segments/{name}": (Ask("/segments/everybody_who_bought", SEGMENT),),
    "GET /segments/{name}/count": (Ask(f"/segments/{BOTH}/count"),),
    "POST /segments/{name}/audience": (Ask(f"/segments/{BOTH}/audience?platform=google", {}),),
    "POST /segments/{name}/list": (
        Ask("/segments/asked_listed/list", {"rows": [{"phone": "{phone}"}], "dry_run": True}),
    ),
    "GET /segments/{name}/members": (
        Ask(f"/segments/{BOTH}/members", shows=("person",)),
        Ask(f"/segments/{BOTH}/members?order=-spend_ever&traits=home_store", shows=("person",)),
    ),
    "GET /persons": (
        Ask("/persons", shows=("person", "name")),
        Ask(f"/persons?segment={BOTH}&traits=home_store", shows=("person", "name")),
        Ask("/persons?find={phone}", shows=("person", "name")),
        Ask("/persons?find={member}", shows=("person", "name")),
        Ask("/persons?find={external}", shows=("person", "name")),
    ),
    "GET /persons/{person}": (Ask("/persons/{person}", shows=("name", "phone", "member", "external", "userid")),),
    "GET /persons/{person}/events": (Ask("/persons/{person}/events", shows=("order", "event")),),
    "GET /persons/{person}/export": (
        Ask("/persons/{person}/export", shows=("name", "phone", "member", "external", "order", "sku")),
    ),
    "GET /persons/{person}/values": (Ask("/persons/{person}/values"),),
    "GET /values": (Ask("/values"),),
    "GET /persons/{person}/touches": (Ask("/persons/{person}/touches", shows=("plan",)),),
    "GET /persons/{person}/history": (Ask("/persons/{person}/history", shows=("phone", "member")),),
    "POST /persons/{person}/merge": (Ask("/persons/{person}/merge", {"other": 999999, "reason": "asked"}),),
    "POST /persons/{person}/split": (
        Ask(
            "/persons/{person}/split",
            {"identifiers": [{"kind": "member", "namespace": "till", "value": "nobody's"}], "reason": "asked"},
        ),
    ),
    "GET /suspects": (Ask("/suspects"),),
    "POST /suspects": (Ask("/suspects", {"first": 999999, "second": 1, "decision": "later"}),),
    "GET /shared-identifiers": (Ask("/shared-identifiers"),),
    "POST /shared-identifiers/{identifier}": (
        Ask("/shared-identifiers/999999", {"decision": "shared", "reason": "asked"}),
    ),
    "POST /decisions/{decision}/withdraw": (Ask("/decisions/999999/withdraw", {"reason": "asked"}),),
    "GET /plans": (Ask("/plans", shows=("plan", "plan_name")),),
    "POST /plans/preview": (Ask("/plans/preview", PLAN),),
    "POST /plans": (Ask("/plans", PLAN),),
    "GET /plans/{plan}": (Ask("/plans/{plan}", shows=("plan_name",)),),
    "POST /plans/{plan}/stop": (Ask("/plans/{plan}/stop", {}),),
    "GET /plans/{plan}/batches": (Ask("/plans/{plan}/batches", shows=("batch", "userid")),),
    "GET /stores": (Ask("/stores", shows=()),),
    "GET /ways": (Ask("/ways", shows=("way",)),),
    "GET /groups": (
        Ask("/groups", shows=("group", "group_name")),
        Ask("/groups?owner={userid}&full=false", shows=("group",)),
        Ask("/groups?store=far&silent=30"),
    ),
    "GET /groups/{number}/members": (Ask("/groups/{group}/members", shows=("person",)),),
    "GET /ways/quota": (Ask("/ways/quota"),),
    "GET /execution": (
        Ask("/execution?at=far&since=2026-03-01", shows=("guide",)),
        Ask("/execution?plan={plan}"),
        Ask("/execution?since=2026-03-01&format=csv"),
    ),
    "POST /execution/reasons": (
        Ask("/execution/reasons", {"uid": "asked-here", "batch": 7530001, "reason": "too_many"}),
    ),
    "POST /execution/chases/preview": (Ask("/execution/chases/preview", {"uid": "asked-here", "at": "far"}),),
    "POST /execution/chases": (Ask("/execution/chases", {"uid": "asked-here", "at": "far"}),),
    "GET /layers": (Ask("/layers"),),
    "GET /layers/flow": (Ask("/layers/flow"),),
    "GET /layers/moves": (Ask("/layers/moves?days=90"), Ask("/layers/moves?format=csv")),
    "GET /growth/tree": (Ask("/growth/tree"), Ask("/growth/tree?at=near")),
    "GET /advisor": (Ask("/advisor"),),
    "GET /super-users": (Ask("/super-users"), Ask("/super-users?format=csv")),
    "GET /super-users/membership": (Ask("/super-users/membership"),),
    "GET /totals": (Ask("/totals"),),
    "GET /guides/trust": (Ask("/guides/trust"), Ask("/guides/trust?format=csv")),
    "GET /guides/accounts": (
        Ask("/guides/accounts", shows=("userid",)),
        Ask("/guides/accounts?format=csv", shows=("userid",)),
        Ask("/guides/accounts?level=risk"),
    ),
    "GET /drill": (Ask("/drill", shows=("userid",)), Ask("/drill?level=channel")),
    "GET /drill/of": (Ask("/drill/of?level=corp&of=ww-house"),),
    "GET /drill/lost": (Ask("/drill/lost?level=corp&of=ww-house", shows=("person",)),),
}

COMMANDS: dict[str, tuple[Ask, ...]] = {
    "audiences export": (Ask(words=(BOTH, "--platform", "google", "--output", os.devnull)),),
    "apply": (Ask(words=("PLAN_FILE",)),),
    "content list": (Ask(),),
    "content show": (Ask(words=("care_tip",)),),
    "content check": (Ask(words=("明天到货",)),),
    "content submit": (Ask(words=("care_tip", "1")),),
    "content approve": (Ask(words=("care_tip", "1")),),
    "content send-back": (Ask(words=("care_tip", "1", "asked")),),
    "demo": (Ask(),),
    "doctor": (Ask(),),
    "archive show": (Ask(words=("ww-house",)),),
    "archive open": (Ask(words=("ww-house", "ORDERS_FILE")),),
    "archive key": (Ask(words=("ww-house", "1", "ORDERS_FILE")),),
    "drill ranking": (Ask(shows=("userid",)), Ask(words=("--level", "corp"))),
    "drill show": (Ask(words=("corp", "ww-house")),),
    "drill lost": (Ask(words=("corp", "ww-house"), shows=("person",)),),
    "drill invite": (Ask(words=("corp", "ww-house", "asked")),),
    "execution board": (Ask(words=("--at", "far", "--since", "2026-03-01"), shows=("guide",)),),
    "execution chase": (Ask(words=("--at", "far")), Ask(words=("--send",))),
    "execution reasons": (Ask(), Ask(words=("--at", "far"))),
    "keys add": (Ask(words=("asked", "--source", "asked")),),
    "keys list": (Ask(),),
    "keys revoke": (Ask(words=("asked",)),),
    "import events": (Ask(words=("ORDERS_FILE",)),),
    "import orders": (Ask(words=("ORDERS_FILE", "--dry-run")),),
    "import persons": (Ask(words=("ORDERS_FILE", "--dry-run")),),
    "import relations": (Ask(words=("ORDERS_FILE",)),),
    "import groups": (Ask(words=("ORDERS_FILE",)),),
    "groups list": (Ask(shows=("group_name", "userid")), Ask(words=("--owner", "{userid}"), shows=("group_name",))),
    "import coupons": (Ask(words=("ORDERS_FILE",)),),
    "import consent": (Ask(words=("ORDERS_FILE",)),),
    "import partners": (Ask(words=("ORDERS_FILE",)),),
    "import invites": (Ask(words=("ORDERS_FILE",)),),
    "offgate list": (Ask(words=("--by", "send"), shows=("userid",)),),
    "lists hand-in": (Ask(words=("{list}",)),),
    "lists import": (Ask(words=("{list}", "ORDERS_FILE")),),
    "lists list": (Ask(shows=("list",)),),
    "lists note": (Ask(words=("{list}", "sent", "--line", "1")),),
    "lists take": (Ask(words=("{list}", "--output", os.devnull)),),
    "values fit": (Ask(),),
    "values show": (Ask(), Ask(words=("--person", "{person}"))),
    "persons erase": (Ask(words=("{person}",)),),
    "persons erase-again": (Ask(),),
    "persons erasures": (Ask(),),
    "match": (Ask(),),
    "persons history": (Ask(words=("{person}",), shows=("phone", "member")),),
    "persons merge": (Ask(words=("{person}", "999999", "--reason", "asked")),),
    "persons split": (Ask(words=("{person}", "--out", "member=nobody's", "--reason", "asked")),),
    "persons suspects": (Ask(),),
    "persons undo": (Ask(words=("999999", "--reason", "asked")),),
    "persons export": (Ask(words=("{person}",), shows=("name", "phone", "member", "external", "order", "sku")),),
    "persons retention": (Ask(),),
    "plan": (Ask(words=("PLAN_FILE",)),),
    "plans list": (Ask(shows=("plan", "plan_name")),),
    "plans show": (Ask(words=("{plan}",), shows=("plan_name",)),),
    "plans stop": (Ask(words=("{plan}",)),),
    "layers show": (Ask(),),
    "growth advisor": (Ask(),),
    "growth tree": (Ask(), Ask(words=("--at", "near"))),
    "layers super-users": (Ask(), Ask(words=("--fees",))),
    "layers flow": (Ask(),),
    "layers next": (Ask(),),
    "layers moves": (Ask(words=("--days", "90")),),
    "rebuild profiles": (Ask(),),
    "warehouse move": (Ask(),),
    "warehouse compact": (Ask(),),
    "secrets rotate": (Ask(),),
    "secrets status": (Ask(),),
    "segments count": (Ask(words=(BOTH,)),),
    "segments list": (Ask(),),
    "segments upload": (Ask(words=("asked_listed", "ORDERS_FILE", "--dry-run")),),
    "segments members": (Ask(words=(BOTH,), shows=("person",)),),
    "stores list": (Ask(),),
    "stores import": (Ask(words=("ORDERS_FILE", "--dry-run")),),
    "staff list": (Ask(shows=("userid",)),),
    "staff departments": (Ask(),),
    "staff link": (Ask(words=("7", "far")),),
    "staff tree": (Ask(words=("7",)),),
    "staff role": (Ask(words=("{userid}", "guide")),),
    "staff phone-link": (Ask(words=("{userid}",)),),
    "staff import": (Ask(words=("ORDERS_FILE", "--dry-run", "--channel", "manual")),),
    "tokens issue": (Ask(words=("asked", "--scope", "read")),),
    "tokens revoke": (Ask(words=("far_operator",)),),
    "ways list": (Ask(shows=("way",)),),
    "guides trust": (Ask(),),
    "guides net": (Ask(), Ask(words=("--days", "7"))),
    "guides accounts": (Ask(shows=("userid",)), Ask(words=("--risk",))),
    "ways show": (Ask(words=("{way}",), shows=("way_title",)),),
    "traits list": (Ask(),),
    "traits check": (Ask(words=("PLAN_FILE",)),),
    "traits remove": (Ask(words=("asked",)),),
    "transfers waiting": (Ask(),),
    "transfers list": (Ask(),),
    "transfers progress": (Ask(),),
    "transfers failures": (Ask(words=("ww-house", "nobody")),),
    "transfers preview": (Ask(words=("nobody", "--to", "asked")),),
    "transfers start": (Ask(words=("nobody", "--to", "asked")),),
    "ways close": (Ask(words=("{way}",)),),
    "ways quota": (Ask(),),
    "reflex list": (Ask(),),
    "users reset-mfa": (Ask(words=("near_manager",)),),
    "webhooks close": (Ask(words=("asked",)),),
    "webhooks deliveries": (Ask(words=("asked",)),),
    "webhooks list": (Ask(),),
    "webhooks open": (Ask(words=("shopify_orders",)),),
    "webhooks replay": (Ask(words=("asked",)),),
    "channels list": (Ask(),),
    "channels test": (Ask(words=("email", "asked", "a@b.cn", "--text", "x")),),
    "corps agent": (Ask(words=("ww-house", "1000002")),),
    "corps list": (Ask(),),
    "corps test": (Ask(words=("--sandbox", "http://127.0.0.1:9")),),
    "outgoing add": (Ask(words=("asked", "http://x", "--type", "order.placed")),),
    "outgoing letters": (Ask(words=("asked",)),),
    "outgoing list": (Ask(),),
    "outgoing ping": (Ask(words=("asked",)),),
    "outgoing redeliver": (Ask(words=("asked",)),),
    "sync": (Ask(words=("customers",)),),
    "outgoing switch": (Ask(words=("asked", "off")),),
    "users add": (Ask(words=("somebody", "--role", "owner")),),
}

_SEEN = ("person", "name")
_FORM = {"name": "asked", "title_zh": "试", "title_en": "Asked", "text": "你好", "audience": "everyone"}
PAGES: dict[str, tuple[Ask, ...]] = {
    "set_up": (Ask("/set-up/"),),
    "choose_password": (Ask("/password/", {"current": "wrong"}),),
    "clock": (Ask("/clock/"), Ask("/clock/", {"days": "1"})),
    "today": (Ask("/"),),
    "connect": (
        Ask("/connect/", shows=("way", "way_title", "follow_up")),
        Ask("/connect/?export=csv", shows=("way_title",)),
    ),
    "way_new": (Ask("/connect/new/"), Ask("/connect/new/?from={way}")),
    "way_keep": (Ask("/connect/keep/", {"title": "试", "source": "poster", "channel": "manual"}),),
    "way": (Ask("/connect/of/{way}/", shows=("way_title",)),),
    "transfers": (Ask("/connect/transfers/"), Ask("/connect/transfers/?handover=nobody&to=asked")),
    "transfer": (Ask("/connect/transfers/of/?corp=ww-house&of=nobody"),),
    "transfers_start": (Ask("/connect/transfers/start/", {"handover": "nobody", "to": "asked"}),),
    "way_close": (Ask("/connect/of/{way}/close/", {"closed": "yes"}),),
    "way_poster": (Ask("/connect/of/{way}/poster/", shows=("way_title",)),),
    "follow_up_done": (Ask("/connect/follow-ups/{follow_up}/", {}),),
    "imports": (Ask("/imports/"),),
    "import_upload": (Ask("/imports/upload/", {"kind": "orders", "source": "asked"}),),
    "import_one": (Ask("/imports/of/1/"),),
    "import_start": (Ask("/imports/of/1/start/", {"do": "check"}),),
    "import_cancel": (Ask("/imports/of/1/cancel/", {}),),
    "import_progress": (Ask("/imports/of/1/progress/"),),
    "import_errors": (Ask("/imports/of/1/errors/"),),
    # What anyone may open who scans the poster: it names the way's stores, and nobody.
    "landing": (Ask("/w/no-such-way/"),),
    "landing_picture": (Ask("/w/no-such-way/picture"),),
    # Platforms come here, who are told nothing.
    "hook": (Ask("/hooks/shopify_orders"),),
    "hook_placed": (Ask("/hooks/shopify_orders/nowhere"),),
    # What a customer opens by their own link, or anybody by a number: it shows nothing of anybody.
    "refuse": (Ask("/p/"), Ask("/p/", {"number": "{phone}"})),
    "preferences": (Ask("/p/no-such-link/"), Ask("/p/no-such-link/", {"often": "any"})),
    "preferences_stop": (Ask("/p/no-such-link/stop/", {}),),
    "preferences_undo": (Ask("/p/no-such-link/undo/", {"at": "1"}),),
    "wecom_callback": (Ask("/wecom/callback/ww-house"),),
    "direct_callback": (Ask("/direct/email/main/nothing"),),
    "layers": (Ask("/layers/"), Ask("/layers/?type="), Ask("/layers/?export=csv")),
    "layers_ladder": (
        Ask("/layers/ladder/", shows=("person", "name")),
        Ask("/layers/ladder/?way=up&export=csv", shows=("person",)),
    ),
    "layers_flow": (Ask("/layers/flow/"), Ask("/layers/flow/?export=csv")),
    "layers_next": (Ask("/layers/next/"), Ask("/layers/next/?export=csv")),
    "growth_tree": (
        Ask("/growth/tree/"),
        Ask("/growth/tree/?at=near"),
        Ask("/growth/tree/?at=near&part=sources"),
        Ask("/growth/tree/?export=csv"),
    ),
    "advisor": (Ask("/advisor/"), Ask("/advisor/?export=csv")),
    "advisor_answer": (Ask("/advisor/answers/", {"asks": "yes", "talks": "no", "once": "no"}),),
    "layers_invite": (Ask("/layers/super-users/invite/?fee=29"),),
    "layers_super": (
        Ask("/layers/super-users/"),
        Ask("/layers/super-users/?sign=repeat&reachable=yes&sort=-orders_365d"),
        Ask("/layers/super-users/?export=csv"),
    ),
    "method": (Ask("/methods/rfm/"), Ask("/methods/ladder/")),
    "method_keep": (Ask("/methods/rfm/keep/", {"text": ""}),),
    "guard": (Ask("/guard/"),),
    "drills": (
        Ask("/guard/drill/", shows=("guide", "userid")),
        Ask("/guard/drill/?level=channel"),
        Ask("/guard/drill/?export=csv", shows=("guide", "userid")),
    ),
    "drill_one": (
        Ask("/guard/drill/of/?level=corp&of=ww-house", shows=("person", "name")),
        Ask("/guard/drill/of/?level=corp&of=ww-house&export=csv", shows=("person", "name")),
        Ask("/guard/drill/of/?level=corp&of=ww-house&export=csv&table=stores"),
    ),
    "drill_invite": (Ask("/guard/drill/invite/", {"level": "corp", "of": "ww-house", "way": "asked"}),),
    "desk": (Ask("/desk/"), Ask("/desk/?folder=open"), Ask("/desk/?folder=closed")),
    "desk_now": (Ask("/desk/now/"),),
    "desk_figures": (Ask("/desk/figures/?export=csv"),),
    "desk_duty": (Ask("/desk/duty/", {"on": "no"}),),
    "desk_one": (Ask("/desk/999999/"),),
    "desk_one_now": (Ask("/desk/999999/now/"),),
    "desk_answer": (Ask("/desk/999999/answer/", {"text": "x", "uid": "0123456789abcdef"}),),
    "desk_take": (Ask("/desk/999999/take/", {}),),
    "desk_close": (Ask("/desk/999999/close/", {"solved": "yes"}),),
    "desk_hand": (Ask("/desk/999999/hand/", {"guide": "x", "reason": "order"}),),
    "radar": (Ask("/guard/radar/"), Ask("/guard/radar/?state=hit&source=read&export=csv")),
    "radar_look": (Ask("/guard/radar/look/", {}),),
    "radar_enter_form": (Ask("/guard/radar/new/"),),
    "radar_enter": (Ask("/guard/radar/enter/", {"kind": "licence", "title": "asked", "ends_on": "2027-01-31"}),),
    "radar_end": (Ask("/guard/radar/999999/end/", {}),),
    "radar_contacts": (Ask("/guard/radar/contacts/"), Ask("/guard/radar/contacts/?reason=deleted&export=csv")),
    "radar_codes": (Ask("/guard/radar/codes/"), Ask("/guard/radar/codes/?days=30&export=csv")),
    "radar_close": (Ask("/guard/radar/codes/close/", {"way": "{way}", "days": "90"}),),
    "radar_groups": (Ask("/guard/radar/groups/"), Ask("/guard/radar/groups/?export=csv")),
    "consents": (
        Ask("/guard/consents/", shows=("person", "name")),
        Ask("/guard/consents/?export=csv", shows=("person",)),
        Ask("/guard/consents/?find={phone}"),
    ),
    "person_say": (Ask("/persons/{person}/consents/", {"said": "no", "purpose": "x", "channel": "*", "proof": "x"}),),
    "person_link": (Ask("/persons/{person}/link/", shows=("name",)),),
    "person_void_links": (Ask("/persons/{person}/link/void/", {}),),
    "person_export": (
        Ask("/persons/{person}/export/", {"form": "json"}, shows=("name", "phone", "member", "order")),
        Ask("/persons/{person}/export/", {"form": "html"}, shows=("name", "phone", "external")),
    ),
    "person_erase": (Ask("/persons/{person}/erase/", shows=("name",)),),
    "values": (Ask("/values/"), Ask("/values/?export=csv"), Ask("/values/?at=far")),
    "growth": (Ask("/growth/"), Ask("/growth/?export=csv")),
    "league": (Ask("/league/"), Ask("/league/?export=csv")),
    "health": (
        Ask("/guard/accounts/", shows=("guide",)),
        Ask("/guard/accounts/?export=csv", shows=("guide",)),
        Ask("/guard/accounts/?level=watch&sign=idle&part=avatar&sort=-friends"),
    ),
    "league_guides": (
        Ask("/league/guides/", shows=("guide",)),
        Ask("/league/guides/?export=csv", shows=("guide",)),
        Ask("/league/guides/?store=far&standing=too_few&sort=-net"),
    ),
    "pool": (Ask("/pool/"), Ask("/pool/?export=csv")),
    "persons": (
        Ask("/persons/", shows=_SEEN),
        Ask("/persons/?export=csv", shows=("person",)),
        Ask("/persons/?find={phone}"),
        Ask(f"/persons/?segment={BOTH}", shows=_SEEN),
    ),
    "person": (Ask("/persons/{person}/", shows=("name", "phone", "member", "guide")),),
    "sameness": tuple(Ask(f"/persons/same/?part={part}") for part in ("suspects", "shared", "later", "decided")),
    "sameness_search": (Ask("/persons/same/search/", {}),),
    "sameness_compare": (Ask("/persons/same/compare/?first={person}&second=1"),),
    "sameness_decide": (Ask("/persons/same/decide/", {"first": "1", "second": "1", "decision": "later"}),),
    "sameness_shared": (Ask("/persons/same/shared/", {"identifier": "0", "decision": "shared", "reason": "r"}),),
    "sameness_undo": (Ask("/persons/same/undo/", {"decision": "0", "reason": "r"}),),
    "sameness_split": (Ask("/persons/{person}/split/", shows=("phone", "member")),),
    "sameness_split_now": (Ask("/persons/{person}/split/now/", {"reason": "r"}),),
    "library": (Ask("/content/"), Ask("/content/?voice=guide&step=customer"), Ask("/content/?export=csv")),
    "content": (Ask("/content/of/care_tip/"),),
    "content_decide": (Ask("/content/of/care_tip/decide/", {"do": "submit", "version": "1"}),),
    "content_new": (Ask("/content/new/"), Ask("/content/new/?from=care_tip")),
    "content_preview": (Ask("/content/preview/", {"text": "您好", "name": "asked"}),),
    "content_keep": (Ask("/content/keep/", {"text": "您好", "name": "asked", "title_zh": "试"}),),
    "content_upload": (Ask("/content/upload/", {"drop": "pictures.0"}),),
    "content_file": (Ask(f"/content/file/{PICTURE}/"),),
    "content_said": (Ask("/content/said/?content=care_tip"),),
    "content_rules": (Ask("/content/rules/?text=您好"),),
    "segments": (Ask("/segments/"), Ask("/segments/?part=counts")),
    "segment_new": (Ask("/segments/new/"), Ask(f"/segments/new/?from={BOTH}")),
    "segment_build": (Ask("/segments/build/", {"text": "", "do": ""}),),
    "segment_said": (Ask("/segments/said/", {"text": ""}),),
    "segment_read": (Ask("/segments/read/", {"text": ""}),),
    "segment_count": (Ask("/segments/count/", {"text": ""}),),
    "segment_list": (Ask("/segments/list/"), Ask("/segments/list/", {"name": "asked_listed", "words": "1"})),
    "segment_list_errors": (Ask("/segments/list/errors/", {"words": "1"}),),
    "segment_save": (Ask("/segments/save/", {"text": ""}),),
    "segment": (
        Ask(f"/segments/of/{BOTH}/", shows=_SEEN),
        Ask(f"/segments/of/{BOTH}/?export=csv", shows=("person",)),
    ),
    "traits": (Ask("/traits/"), Ask("/traits/?find=orders")),
    "trait_new": (Ask("/traits/new/"), Ask("/traits/new/?from=replies_90d")),
    "trait_preview": (Ask("/traits/preview/", {"document": TRAIT}),),
    "trait_keep": (Ask("/traits/keep/", {"document": "kind: trait"}),),
    "trait": (Ask("/traits/of/home_store/"), Ask("/traits/of/usual_source/")),
    "trait_remove": (Ask("/traits/of/never_was/remove/", {}),),
    "person_ways": (Ask("/persons/{person}/ways/"),),
    "person_then": (Ask("/persons/{person}/then/"), Ask(f"/persons/{{person}}/then/?segment={BOTH}")),
    "segment_built_past": (Ask("/segments/past/", {"text": "", "past_day": "2026-01-01"}),),
    "segment_built_differing": (Ask("/segments/differing/", {"text": "", "editing": BOTH}),),
    "segment_why": (Ask(f"/segments/of/{BOTH}/why/", shows=_SEEN),),
    "segment_past": (Ask(f"/segments/of/{BOTH}/past/?day=2026-01-01"),),
    "segment_freeze": (Ask(f"/segments/of/{BOTH}/freeze/", {"as_name": "asked_fast"}),),
    "segment_flow": (Ask(f"/segments/of/{BOTH}/flow/"),),
    "segment_differing": (Ask(f"/segments/of/{BOTH}/differing/?version=1"),),
    "segment_overlap": (Ask(f"/segments/of/{BOTH}/overlap/?with=overdue"),),
    "offgate": (
        Ask("/offgate/?place=far", shows=("guide",)),
        Ask("/offgate/?by=send&guide={userid}", shows=("guide",)),
        Ask("/offgate/?by=send&export=csv", shows=("guide",)),
    ),
    "lists": (Ask("/lists/", shows=("list", "guide")),),
    "list": (
        Ask("/lists/{list}/", shows=("person", "name", "guide")),
        Ask("/lists/{list}/?export=csv", shows=("name",)),
    ),
    "list_note": (Ask("/lists/{list}/note/", {"line": "1", "result": "sent"}),),
    "list_back": (Ask("/lists/{list}/back/", {"line": "1"}),),
    "list_in": (Ask("/lists/{list}/in/", {}),),
    "list_read": (Ask("/lists/{list}/read/", {}),),
    "execution": (
        Ask("/execution/?plan={plan}"),
        Ask("/execution/?at=far&days=28", shows=("guide",)),
        Ask("/execution/?at=far&days=28&export=csv", shows=("guide",)),
        Ask("/execution/?days=28&sort=-issued"),
    ),
    "execution_tasks": (
        Ask("/execution/tasks/?days=28"),
        Ask("/execution/tasks/?at=far&state=expired&export=csv"),
    ),
    "execution_time": (Ask("/execution/over-time/"), Ask("/execution/over-time/?at=far&export=csv")),
    "execution_chase": (Ask("/execution/chase/?at=far"), Ask("/execution/chase/")),
    "execution_chase_now": (Ask("/execution/chase/now/", {"uid": "asked-here", "at": "far"}),),
    "execution_chased": (Ask("/execution/chases/1/"),),
    "execution_reason": (Ask("/execution/reason/", {"uid": "asked-here", "batch": "{batch}", "reason": "too_many"}),),
    "plans": (Ask("/plans/", shows=("plan",)),),
    "plan_new": (Ask("/plans/new/"), Ask("/plans/new/?from={plan_name}")),
    "plan_preview": (Ask("/plans/preview/", _FORM),),
    "plan_check": (Ask("/plans/check/", _FORM),),
    "plan_launch": (Ask("/plans/launch/", _FORM),),
    "plan_document": (
        Ask("/plans/document/"),
        Ask("/plans/document/?draft={plan_name}"),
        Ask("/plans/document/?plan={plan}", shows=("plan_name",)),
    ),
    "plan_save": (Ask("/plans/save/", _FORM), Ask("/plans/save/", {"document": "kind: broadcast", "version": "0"})),
    "plan": (Ask("/plans/{plan}/", shows=("guide",)), Ask("/plans/{plan}/?export=csv", shows=("guide",))),
    "plan_progress": (Ask("/plans/{plan}/progress/"),),
    "plan_verdict": (Ask("/plans/{plan}/verdict/"),),
    "plan_stop": (Ask("/plans/{plan}/stop/", {}),),
    "plan_settle": (Ask("/plans/{plan}/batches/{batch}/", {}),),
    "campaigns": (Ask("/campaigns/"), Ask("/campaigns/?export=csv")),
    "campaign": (Ask("/campaigns/one/?name={campaign}"),),
    "campaign_upload": (Ask("/campaigns/list/", {"first": "2026-02-01"}),),
    "settings": (Ask("/settings/"),),
    "make_token": (Ask("/settings/tokens/", {"name": "asked", "scopes": "read"}),),
    "revoke_token": (Ask("/settings/tokens/revoke/", {"name": "far_operator"}),),
    "require_second_factor": (Ask("/settings/users/second/", {}),),
    "reset_second_factor": (Ask("/settings/users/reset/", {"username": "near_manager"}),),
    "organisation": (Ask("/settings/organisation/"), Ask("/settings/organisation/?export=csv")),
    "node": (Ask("/settings/organisation/of/far/", shows=("guide",)),),
    "keep_node": (Ask("/settings/organisation/keep/", {"store": "asked", "store_name": "试"}),),
    "keep_account": (Ask("/settings/organisation/staff/", {"staff": "asked", "store": "far", "corp": "manual "}),),
    "make_phone_link": (Ask("/settings/organisation/phone/", {"account": "{userid}"}),),
    # A guide's phone: tests/mobile asks it as staff; here as users who are no staff.
    "phone": (Ask("/m/"),),
    "phone_in": (Ask("/m/in/"),),
    "phone_by_wecom": (Ask("/m/in/wecom/?corp=ww-house"),),
    "phone_back": (Ask("/m/in/back/?code=x&state=y"),),
    "phone_link": (Ask("/m/in/no-such-link/"), Ask("/m/in/no-such-link/", {})),
    "phone_out": (Ask("/m/out/"),),
    "phone_reason": (Ask("/m/tasks/why-not/", {"id": "0" * 32, "result": "too_many", "batch": "{batch}"}),),
    "phone_chat": (Ask("/m/chat/"),),
    "phone_chat_person": (Ask("/m/chat/person/", {"external": "{external}"}),),
    "phone_chat_again": (Ask("/m/chat/again/", {"external": "{external}"}),),
    "phone_person": (Ask("/m/person/{person}/", shows=("name",)),),
    "phone_person_ask": (Ask("/m/person/{person}/ask/?script=member_day"),),
    "phone_person_sent": (Ask("/m/person/{person}/sent/", {"script": "member_day"}),),
    "phone_person_note": (Ask("/m/person/{person}/note/", {"note": "asked"}),),
    "phone_chase": (Ask("/m/store/chase/", {"store": "far", "staff": "7640001"}),),
    "phone_store": (
        Ask("/m/store/"),
        Ask("/m/store/?choose=1"),
        Ask("/m/store/?store=far", shows=("guide",)),
    ),
    "phone_card_ask": (Ask("/m/today/ask/?card=1"),),
    "phone_card": (Ask("/m/today/note/", {"card": "1", "result": "sent"}),),
    "phone_follow_up": (Ask("/m/follow-ups/note/", {"followUp": "{follow_up}", "result": "done"}),),
    "phone_list": (Ask("/m/lists/{list}/", shows=("name",)),),
    "phone_list_note": (Ask("/m/lists/{list}/note/", {"result": "sent"}),),
    "phone_file": (Ask(f"/m/file/{PICTURE}/"),),
    "phone_list_in": (Ask("/m/lists/{list}/in/", {}),),
    "phone_sign": (Ask("/m/sign/?url=http://testserver/m/"),),
    "phone_worker": (Ask("/m/sw.js"),),
    "organisation_list": (Ask("/settings/organisation/list/"),),
    "organisation_read": (Ask("/settings/organisation/list/read/", {"of": "stores"}),),
    "departments": (Ask("/settings/organisation/departments/"),),
    "department_link": (Ask("/settings/organisation/departments/link/", {"corp": "ww-house", "department": "1"}),),
    "keys": (Ask("/settings/keys/"),),
    "make_key": (Ask("/settings/keys/new/", {"name": "asked", "source": "asked"}),),
    "drop_key": (Ask("/settings/keys/revoke/", {"name": "asked"}),),
    "hooks": (Ask("/settings/webhooks/"),),
    "hook_new": (Ask("/settings/webhooks/new/?from=shopify_orders"),),
    "hook_keep": (Ask("/settings/webhooks/keep/", {"text": ""}),),
    "hook_one": (Ask("/settings/webhooks/of/asked/"),),
    "hook_renew": (Ask("/settings/webhooks/of/asked/renew/", {}),),
    "hook_close": (Ask("/settings/webhooks/of/asked/close/", {}),),
    "hook_replay": (Ask("/settings/webhooks/of/asked/replay/", {}),),
    "hook_sample": (Ask("/settings/webhooks/of/asked/sample/?type=x&problem=y"),),
    "channels": (Ask("/settings/channels/"),),
    "channels_new": (Ask("/settings/channels/new/?kind=email"),),
    "channels_one": (Ask("/settings/channels/one/?channel=email&corp=asked"),),
    "channels_keep": (Ask("/settings/channels/keep/", {"kind": "email", "corp": "asked"}),),
    "channels_test": (Ask("/settings/channels/test/", {"channel": "email", "corp": "asked", "to": "a@b.cn"}),),
    "corps": (Ask("/settings/corps/"),),
    "corp_add": (Ask("/settings/corps/add/", {"corp": "ww-asked", "where": "sandbox"}),),
    "corp_one": (Ask("/settings/corps/one/?corp=ww-house"),),
    "corp_archive": (Ask("/settings/corps/archive/", {"corp": "ww-house", "act": "key", "version": "1", "pem": "x"}),),
    "corp_act": (Ask("/settings/corps/act/", {"corp": "ww-house", "act": "renew"}),),
    "outgoing": (Ask("/settings/outgoing/"),),
    "outgoing_add": (Ask("/settings/outgoing/add/", {"name": "asked", "url": "http://x"}),),
    "outgoing_one": (Ask("/settings/outgoing/one/?name=asked"),),
    "syncs": (Ask("/settings/syncs/"),),
    "syncs_now": (Ask("/settings/syncs/now/"),),
    "syncs_begin": (Ask("/settings/syncs/begin/", {"kind": "customers"}),),
    "outgoing_act": (Ask("/settings/outgoing/act/", {"name": "asked", "act": "off"}),),
    "groups": (
        Ask("/groups/", shows=("group", "group_name", "guide")),
        Ask("/groups/?find=wr-&owner={userid}", shows=("group",)),
        Ask("/groups/?export=csv", shows=("group_name",)),
    ),
    "group": (
        Ask("/groups/{group}/", shows=("group_name", "person", "name", "group_way_title")),
        Ask("/groups/{group}/?export=csv", shows=("person", "name")),
    ),
    "joining": (Ask("/connect/groups/", shows=("group_way_title", "group_name")),),
    "joining_new": (
        Ask("/connect/groups/new/?group={group}", shows=("group_name",)),
        Ask("/connect/groups/new/?of={group_way}", shows=("group_way_title",)),
    ),
    "joining_keep": (Ask("/connect/groups/keep/", {"title": "试", "groups": "{group}", "of": "{group_way}"}),),
    "joining_end": (Ask("/connect/groups/{group_way}/end/", {}),),
    "leads": (Ask("/connect/leads/"), Ask("/connect/leads/?state=new&source=till")),
    "lead_work": (Ask("/connect/leads/work/", {"lead": "asked", "state": "won"}),),
    "audit": (Ask("/settings/audit/"), Ask("/settings/audit/?verb=export&export=csv")),
    "quality": (Ask("/quality/"),),
    "quality_sample": (Ask("/quality/sample/?key=1&type=x&problem=type"),),
    "quality_define": (Ask("/quality/define/?key=1&type=x"),),
    "quality_keep": (Ask("/quality/keep/", {"text": ""}),),
    "quality_replay": (Ask("/quality/replay/", {"key": "1", "type": "x"}),),
    "set_language": (Ask("/language/", {"language": "en"}),),
    "healthz": (Ask("/healthz"),),
    "readyz": (Ask("/readyz"),),
}
# allauth's own pages tell of nobody but who is logged in; they are asked as they stand.
ALLAUTH = ("account_", "socialaccount_", "mfa_", "usersessions_")


@cache
def operations() -> dict[str, tuple[Ask, ...] | None]:
    """Every operation of the API, and how it is asked."""
    told = api.get_openapi_schema(path_prefix="")["paths"]
    # The collect API stands beside Django, takes events in and tells nothing: tests/api/collect asks it.
    # So does the webhooks' door: tests/intake/test_hooks.py asks it.
    beside = {*collect_paths(), *hook_paths()}
    paths = {path: methods for path, methods in told.items() if path not in beside}
    return {
        (name := f"{method.upper()} {path}"): API.get(name) for path, methods in paths.items() for method in methods
    }


def commands() -> dict[str, tuple[Ask, ...] | None]:
    """Every command that takes `--as`, and how it is asked."""

    def walk(group: click.Group, before: str = "") -> Iterator[str]:
        for name, command in group.commands.items():
            if isinstance(command, click.Group):
                yield from walk(command, f"{before}{name} ")
            elif any("--as" in parameter.opts for parameter in command.params):
                yield before + name

    return {name: COMMANDS.get(name) for name in walk(root())}


def pages() -> dict[str, tuple[Ask, ...] | None]:
    """Every page but the API's, by the name of its pattern, and how it is asked."""
    found: dict[str, tuple[Ask, ...] | None] = {}
    for route, name in _patterns(get_resolver().url_patterns, "/"):
        if route.startswith("/api/"):
            continue
        if name.startswith(ALLAUTH):
            found[name] = (Ask(route),) if "<" not in route and "^" not in route else ()
        else:
            found[name or route] = PAGES.get(name)
    return found


def _patterns(patterns: list[URLPattern | URLResolver], before: str) -> Iterator[tuple[str, str]]:
    for pattern in patterns:
        route = before + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from _patterns(pattern.url_patterns, route)
        else:
            yield route, pattern.name or ""
