"""Doors for our own composition, below `/control/`: seed, clock, truth, faults. From this machine only."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from datetime import datetime

import httpx
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from yutang.kernel.clock import wall_now
from yutang.kernel.errors import NotFound, Refused, YutangError
from yutang.sandbox import acquisition, browser, chats, kf_people, transfers
from yutang.sandbox.apps import find_app, put_apps, shown_apps
from yutang.sandbox.archive import happen, read_said
from yutang.sandbox.callbacks import Receiver, enqueue
from yutang.sandbox.contracts import bad, instant, read_department, read_member, read_relation, read_spec
from yutang.sandbox.customers import befriend, edit, license_members
from yutang.sandbox.directory import change_department, change_member, give_code, show_member
from yutang.sandbox.faults import read_faults, read_quotas
from yutang.sandbox.messages import make_robot, press, received
from yutang.sandbox.moments import act_on_moment, publish_own
from yutang.sandbox.store import MAIN, find_settings, settings_of
from yutang.sandbox.tags import administer
from yutang.sandbox.tasks import send_own
from yutang.sandbox.tokens import revoke_tokens
from yutang.sandbox.walls import set_walls
from yutang.sandbox.ways import leave, scan
from yutang.sandbox.wire import PlatformError
from yutang.sandbox.world import put_relations, seed_store
from yutang.sandbox.worlds import World

_COUNTS = """
SELECT (SELECT count(*) FROM members) AS members, (SELECT count(*) FROM customers) AS customers,
    (SELECT count(*) FROM relations) AS relations, (SELECT count(*) FROM tasks) AS tasks,
    (SELECT count(*) FROM tasks WHERE cancelled_at IS NOT NULL) AS cancelled_tasks,
    (SELECT count(*) FROM recipients) AS recipients,
    (SELECT count(*) FROM recipients WHERE status = 0) AS unsent,
    (SELECT count(*) FROM recipients WHERE status = 1) AS sent,
    (SELECT count(*) FROM recipients WHERE status = 2) AS not_friend,
    (SELECT count(*) FROM recipients WHERE status = 3) AS capped,
    (SELECT count(*) FROM purchases) AS purchases,
    (SELECT count(*) FROM purchases WHERE kind = 1) AS extra_purchases,
    (SELECT count(*) FROM arrivals) AS arrivals,
    (SELECT count(*) FROM chats WHERE dismissed_at IS NULL) AS groups,
    (SELECT count(*) FROM chat_members WHERE left_at IS NULL) AS group_members,
    (SELECT count(*) FROM purchases WHERE posted = 0) + (SELECT count(*) FROM arrivals WHERE posted = 0) AS waiting
"""
_LOOPBACK = ("127.0.0.1", "::1")
_NAMES = (*_LOOPBACK, "localhost")

Door = Callable[[dict[str, object]], dict[str, object]]


class Control:
    """The control doors over one corp. Each is idempotent: the same body twice leaves what it left once.

    `advance` moves the clocks of all corps; without it, this one's.
    """

    def __init__(self, world: World, advance: Callable[[datetime], dict[str, object]] | None = None) -> None:
        self._postman = world.postman
        self._store = world.store
        self._engine = world.engine
        self._faults = world.faults
        self._limits = world.limits
        self._name = world.name
        self._advance = advance or world.engine.advance

    def routes(self) -> list[Route]:
        """The doors."""
        return [
            Route("/seed", _guarded(self.seed), methods=["POST"]),
            Route("/advance", _guarded(self.advance), methods=["POST"]),
            Route("/relations", _guarded(self.relations), methods=["POST"]),
            Route("/faults", _guarded(self.faults), methods=["POST"]),
            Route("/truth", _guarded(self.truth), methods=["GET", "POST"]),
            Route("/scan", _guarded(self.scan), methods=["POST"]),
            Route("/leave", _guarded(self.leave), methods=["POST"]),
            Route("/groups", _guarded(self.groups), methods=["POST"]),
            Route("/befriend", _guarded(self._told(befriend)), methods=["POST"]),
            Route("/edit", _guarded(self._told(edit)), methods=["POST"]),
            Route("/tags", _guarded(self._told(administer)), methods=["POST"]),
            Route("/licences", _guarded(self._told(license_members)), methods=["POST"]),
            Route("/moment", _guarded(self.moment), methods=["POST"]),
            Route("/sends", _guarded(self.sends), methods=["POST"]),
            Route("/archive", _guarded(self.archive), methods=["GET", "POST"]),
            Route("/service", _guarded(self._told(kf_people.act)), methods=["POST"]),
            Route("/acquisition", _guarded(self._told(acquisition.act)), methods=["POST"]),
            Route("/walls", _guarded(self._told(set_walls)), methods=["POST"]),
            Route("/transfers", _guarded(self._told(transfers.act)), methods=["POST"]),
            Route("/tell", _guarded(self.tell), methods=["POST"]),
            Route("/callbacks", _guarded(self.callbacks), methods=["GET", "POST"]),
            Route("/apps", _guarded(self.apps), methods=["GET", "POST"]),
            Route("/limits", _guarded(self.limits), methods=["GET", "POST"]),
            Route("/state", _guarded(self.state), methods=["GET"]),
            Route("/staff", _guarded(self.staff), methods=["POST"]),
            Route("/departments", _guarded(self.departments), methods=["POST"]),
            Route("/oauth", _guarded(self.oauth), methods=["POST"]),
            Route("/page", _guarded(self._told(browser.checked)), methods=["POST"]),
            Route("/messages", _guarded(self.messages), methods=["GET", "POST"]),
            Route("/press", _guarded(self.press), methods=["POST"]),
            Route("/robot", _guarded(self.robot), methods=["POST"]),
        ]

    def seed(self, body: dict[str, object]) -> dict[str, object]:
        """A spec → `{"changed": bool, "now", "next_at"}`."""
        spec = read_spec(body)
        if self._name and spec.corp_id != self._name:
            raise bad("corp_id", f"应为 {self._name}，与 ?corp= 一致", f"must be {self._name}, as ?corp= says")
        return {"changed": seed_store(self._store, spec), **self._engine.clock()}

    def advance(self, body: dict[str, object]) -> dict[str, object]:
        """`{"to": iso}` → counters, `now` and `next_at`."""
        return self._advance(instant("to", body.get("to")))

    def relations(self, body: dict[str, object]) -> dict[str, object]:
        """`{"relations": [...]}` sets relations by (member, customer)."""
        rows = body.get("relations")
        if not isinstance(rows, list):
            raise bad("relations", "应为列表", "must be a list")
        read = [read_relation(f"relations[{index}]", row) for index, row in enumerate(rows)]
        with self._store.write() as con:
            settings_of(con)
            for one in read:
                if (
                    con.execute(
                        "SELECT EXISTS (SELECT 1 FROM members WHERE userid = ?) AND EXISTS "
                        "(SELECT 1 FROM customers WHERE external_userid = ?)",
                        (one.userid, one.external_userid),
                    ).fetchone()[0]
                    == 0
                ):
                    raise bad(
                        f"relations.{one.userid}.{one.external_userid}",
                        "成员或客户不存在",
                        "its member or its customer does not exist",
                    )
            put_relations(con, read)
        return {"relations": len(read)}

    def scan(self, body: dict[str, object]) -> dict[str, object]:
        """`{"way": config id or state, "external_userid"?, "half"?, "times"?, "welcome"?, "unionid"?}`: so many people
        scan, one after another → `{"scans": [...]}`. `"welcome": false`: the admin console welcomes."""
        times = body.get("times", 1)
        if not isinstance(times, int) or isinstance(times, bool) or not 1 <= times <= 10_000:
            raise bad("times", "应在 1–10000", "must be 1–10,000")
        who = body.get("external_userid")
        with self._store.write() as con:
            found = [
                scan(
                    con,
                    str(body.get("way", "")),
                    external_userid=str(who) if who else None,
                    half=body.get("half") is True,
                    welcome=body.get("welcome") is not False,
                    unionid=str(body.get("unionid") or ""),
                )
                for _ in range(times)
            ]
        self._postman.wake()
        return {"scans": found}

    def leave(self, body: dict[str, object]) -> dict[str, object]:
        """`{"userid", "external_userid", "by": "customer" | "member"}`: a friendship ends."""
        if body.get("by") not in ("customer", "member"):
            raise bad("by", "应为 customer 或 member", "must be customer or member")
        with self._store.write() as con:
            answer = leave(
                con, str(body.get("userid")), str(body.get("external_userid")), by_customer=body["by"] == "customer"
            )
        self._postman.wake()
        return answer

    def groups(self, body: dict[str, object]) -> dict[str, object]:
        """`{"do": …}`: what people do in and with groups; `chats.DOINGS` says what there is."""
        with self._store.write() as con:
            answer = chats.happen(con, body)
        self._postman.wake()
        return answer

    def _told(self, act: Callable[[sqlite3.Connection, dict[str, object]], dict[str, object]]) -> Door:
        """A door of a family's own: what somebody does in a client, in one transaction, called back at once."""

        def door(body: dict[str, object]) -> dict[str, object]:
            with self._store.write() as con:
                answer = act(con, body)
            self._postman.wake()
            return answer

        return door

    def moment(self, body: dict[str, object]) -> dict[str, object]:
        """`{"userid", "text"}`: a member publishes a moment of their own, now → its id. `{"moment_id", "userid", "do",
        "external_userid"?}`: the member publishes or deletes one, or a customer likes or comments it."""
        userid, moment_id = str(body.get("userid", "")), str(body.get("moment_id", ""))
        with self._store.write() as con:
            if moment_id:
                what, who = str(body.get("do", "")), str(body.get("external_userid", ""))
                return act_on_moment(con, moment_id, userid, what, who)
            settings = settings_of(con)
            return {"moment_id": publish_own(con, settings, userid, settings.now, str(body.get("text", "")))}

    def sends(self, body: dict[str, object]) -> dict[str, object]:
        """`{"userid", "to": [external_userid] or "chats": [chat_id], "text"}`: a member sends something of their own,
        now → its msgid, and how many it reached."""
        to, chats = _ids(body, "to"), _ids(body, "chats")
        with self._store.write() as con:
            settings = settings_of(con)
            msgid, tap = send_own(con, settings, str(body.get("userid", "")), to, chats, str(body.get("text", "")))
        return {"msgid": msgid, "sent": tap.sent, "not_friend": tap.not_friend, "capped": tap.capped}

    def archive(self, body: dict[str, object]) -> dict[str, object]:
        """GET `seq`, `limit`: what the archive's native library would tell. POST: see `archive.happen`."""
        if "seq" in body:
            with self._store.read() as con:
                return {"said": read_said(con, int(str(body["seq"])), int(str(body.get("limit", 1000))))}
        with self._store.write() as con:
            answer = happen(con, body)
        self._postman.wake()
        return answer

    def tell(self, body: dict[str, object]) -> dict[str, object]:
        """`{"event", "change", "fields": {...}}`: any other callback, as it is said."""
        fields = body.get("fields", {})
        if not isinstance(fields, dict) or not all(isinstance(text, str) for text in fields.values()):
            raise bad("fields", "应为文字", "must be texts by name")
        with self._store.write() as con:
            now = settings_of(con).now
            enqueue(con, now, str(body.get("change", "")), str(body.get("event", "")), **fields)
        self._postman.wake()
        return {"at": now}

    def staff(self, body: dict[str, object]) -> dict[str, object]:
        """`{"userid", "name"?, "status"?, "departments"?: [...], "deleted"?: true}`: an administrator changes, makes or
        removes a member. With `persona`, what customers see of a member is filled in: `{"avatar"?, "qr_code"?,
        "position"?, "alias"?, "external_position"?, "external_profile"?: {...}}`."""
        member = read_member(
            "staff", {"userid": body.get("userid"), "name": "", **_only(body, "status", "departments")}
        )
        persona = body.get("persona")
        with self._store.write() as con:
            answer = (
                show_member(con, member.userid, persona)
                if isinstance(persona, dict)
                else change_member(
                    con,
                    member.userid,
                    name=_text(body, "name"),
                    status=member.status if "status" in body else None,
                    departments=member.departments if "departments" in body else None,
                    deleted=body.get("deleted") is True,
                )
            )
        self._postman.wake()
        return answer

    def departments(self, body: dict[str, object]) -> dict[str, object]:
        """`{"id", "name"?, "parentid"?, "deleted"?: true}`: an administrator changes, makes or removes a department."""
        one = read_department("department", {"name": "", **_only(body, "id", "parentid")})
        with self._store.write() as con:
            parent = one.parentid if "parentid" in body else None
            deleted = body.get("deleted") is True
            answer = change_department(con, one.id, name=_text(body, "name"), parent=parent, deleted=deleted)
        self._postman.wake()
        return answer

    def oauth(self, body: dict[str, object]) -> dict[str, object]:
        """`{"userid"?, "external_userid"?, "private"?: true}`: somebody opens a page of ours in their client → the
        `code` that they come back with; without either, somebody whom the corp does not know."""
        with self._store.write() as con:
            settings_of(con)
            return give_code(
                con,
                _text(body, "userid"),
                _text(body, "external_userid"),
                private=body.get("private") is True,
                wall=wall_now().timestamp(),
            )

    def messages(self, body: dict[str, object]) -> dict[str, object]:
        """`{"userid"?}` → what members see of the app, and groups of their robots."""
        with self._store.read() as con:
            return received(con, _text(body, "userid"))

    def press(self, body: dict[str, object]) -> dict[str, object]:
        """`{"userid", "msgid", "key"}`: a member presses a button of a card → the code that its callback carries."""
        with self._store.write() as con:
            answer = press(con, *(str(body.get(name, "")) for name in ("userid", "msgid", "key")))
        self._postman.wake()
        return answer

    def robot(self, body: dict[str, object]) -> dict[str, object]:
        """`{"name"}`: somebody adds a robot to their group → the `key` of its address."""
        with self._store.write() as con:
            settings_of(con)
            return make_robot(con, str(body.get("name", "")))

    def callbacks(self, body: dict[str, object]) -> dict[str, object]:
        """`{"url", "token", "key", "agentid"?}`: where an app's callbacks go → whether the address passes the URL
        check; and what waits, of all apps. `bodies`: with every body, oldest first, posted or not."""
        checked = None
        app = body.get("agentid", MAIN)
        if not isinstance(app, int):
            app = MAIN
        if body.get("url"):
            with self._store.write() as con:
                if find_settings(con) is not None:
                    find_app(con, app)
                    con.execute("UPDATE apps SET told = 1 WHERE agentid = ?", (app,))
            receiver = Receiver(str(body["url"]), str(body.get("token", "")), str(body.get("key", "")))
            self._postman.send_to(receiver, app)
            try:
                checked = self._postman.check_address(app)
            except (httpx.HTTPError, ValueError):
                checked = False
        with self._store.read() as con:
            waiting = con.execute("SELECT count(*) FROM callbacks WHERE done = 0").fetchone()[0]
            sent = con.execute("SELECT count(*) FROM welcomes WHERE sent_wall IS NOT NULL").fetchone()[0]
            rows = con.execute("SELECT external_userid, content FROM welcomes WHERE sent_wall IS NOT NULL LIMIT 1000")
            said = {row["external_userid"]: json.loads(row["content"]) for row in rows}
            query = "SELECT body FROM callbacks ORDER BY id LIMIT ?"
            bodies = [row["body"] for row in con.execute(query, (10_000 if body.get("bodies") else 0,))]
        more = {"bodies": bodies} if body.get("bodies") else {}
        return {**more, "checked": checked, "waiting": waiting, "welcomes": sent, "said": said}

    def apps(self, body: dict[str, object]) -> dict[str, object]:
        """`{"apps": [{"agentid", "name"?, "secret"?, "ticked"?, "enabled"?, "apis"?, "members"?, "trusted_ips"?}],
        "contact_members"?}`: what the admin console says of each app → every app. A list of null is everything."""
        with self._store.write() as con:
            put_apps(con, body)
            settings = settings_of(con)
            members = json.loads(settings.contact_members) if settings.contact_members else None
            return {"apps": shown_apps(con), "contact_members": members}

    def limits(self, body: dict[str, object]) -> dict[str, object]:
        """`{"limits": {api: {"minute" | "hour" | "day" | "month": most}}}` replaces what was set for single calls →
        what of each window is used, and what is blocked (until which wall second)."""
        if "limits" in body:
            self._limits.set_quotas(read_quotas(body))
        with self._store.read() as con:
            settings = settings_of(con)
        wall = wall_now().timestamp()
        return {
            "uses": [asdict(use) for use in self._limits.uses(settings, wall)],
            "blocked": self._limits.blocks(wall),
        }

    def faults(self, body: dict[str, object]) -> dict[str, object]:
        """`{"faults": [...], "revoke_tokens"?: true}` replaces all faults and lifts every block."""
        self._faults.set(read_faults(body))
        self._limits.unblock()
        if body.get("revoke_tokens") is True:
            with self._store.write() as con:
                revoke_tokens(con)
        return {"faults": [asdict(fault) for fault in self._faults.all()]}

    def truth(self, body: dict[str, object]) -> dict[str, object]:
        """`{"external_userid"?: [...], "since": iso, "until": iso}`, as JSON or (ids joined by commas) as a query."""
        ids = body.get("external_userid")
        if isinstance(ids, str):
            ids = ids.split(",")
        if ids is not None and not isinstance(ids, list):
            raise bad("external_userid", "应为列表", "must be a list")
        named = None if ids is None else [str(one) for one in ids]
        return self._engine.truth(named, instant("since", body.get("since")), instant("until", body.get("until")))

    def state(self, body: dict[str, object]) -> dict[str, object]:
        """Counters of what the sandbox holds and has answered."""
        with self._store.read() as con:
            settings_of(con)
            counts = con.execute(_COUNTS).fetchone()
        return {
            **dict(counts),
            "answers": {f"{api} {code}": count for (api, code), count in sorted(self._limits.answers.items())},
            "faults": [asdict(fault) for fault in self._faults.all()],
            "wall": wall_now().isoformat(),
            **self._engine.clock(),
        }


def _only(body: dict[str, object], *names: str) -> dict[str, object]:
    return {name: body[name] for name in names if name in body}


def _ids(body: dict[str, object], name: str) -> list[str]:
    found = body.get(name, [])
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise bad(name, "应为 id 的列表", "must be a list of ids")
    return found


def _text(body: dict[str, object], name: str) -> str | None:
    """A text, or None where it is not given."""
    value = body.get(name)
    if value is not None and not isinstance(value, str):
        raise bad(name, "应为文字", "must be a text")
    return value or None


def keep_out_strangers(request: Request) -> None:
    """Raise Refused unless it comes from this machine."""
    # The name too: a page of somebody else's may let its own name point here, and then reads and posts freely.
    if request.url.hostname not in _NAMES or (request.client and request.client.host not in _LOOPBACK):
        raise Refused("控制口只接受本机访问。", "The control doors answer this machine only.")


def _guarded(door: Door) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        try:
            keep_out_strangers(request)
            body = await _body(request)
            return JSONResponse(await run_in_threadpool(door, body))
        except PlatformError as error:
            return JSONResponse({"zh": error.text, "en": error.text}, status_code=400)
        except YutangError as error:
            status = 404 if isinstance(error, NotFound) else 409 if isinstance(error, Refused) else 400
            return JSONResponse({"zh": error.zh, "en": error.en}, status_code=status)

    return endpoint


async def _body(request: Request) -> dict[str, object]:
    if request.method == "GET":
        return dict(request.query_params)
    # A page open in a browser can post text here without asking; JSON it cannot.
    if not request.headers.get("content-type", "").startswith("application/json"):
        raise bad("content-type", "应为 application/json", "must be application/json")
    try:
        body = json.loads(await request.body())
    except (ValueError, RecursionError):
        raise bad("body", "不是合法的 JSON", "is not valid JSON") from None
    if not isinstance(body, dict):
        raise bad("body", "应为对象", "must be an object")
    return body
