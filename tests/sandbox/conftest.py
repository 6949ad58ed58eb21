"""A running sandbox, a public door that it posts to, and small worlds to seed it with."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp

from tests.sandbox.files import mp4, png
from yutang.kernel.clock import wall_now
from yutang.sandbox import platform
from yutang.sandbox.asgi import create_app
from yutang.sandbox.contracts import Customer, Member, Relation, Spec, spec_json

START = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)  # Monday 09:00 in Shanghai
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def small_world(**changes: object) -> Spec:
    """Members a and b, customers c0…c3: all are a's friends; c2 is b's too and talked last with b; d is nobody's."""
    people = tuple(Customer(f"wm{name}", f"顾客 {name}") for name in ("c0", "c1", "c2", "c3", "d"))
    friends = [Relation("a", f"wmc{index}", START - 30 * DAY) for index in range(4)]
    values: dict[str, object] = {
        "corp_id": "ww-sandbox",
        "secret": "synthetic",
        "seed": 7,
        "start_at": START,
        "members": (Member("a", "导购 01"), Member("b", "导购 02"), Member("idle", "导购 03")),
        "customers": people,
        "relations": (*friends, Relation("b", "wmc2", START - 20 * DAY, last_talk_at=START - DAY)),
        "dispatch_seconds": 0.0,
    }
    return Spec(**{**values, **changes})  # type: ignore[arg-type]


@contextlib.contextmanager
def serving(app: ASGIApp) -> Iterator[str]:
    """The app on a real loopback port; gives its address."""
    # Clients let an idle connection go after 5 s: a server that does so too may close it under a request.
    config = uvicorn.Config(app, port=0, log_level="critical", access_log=False, timeout_keep_alive=600)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.005)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


@dataclass
class PublicDoor:
    """A door like the pond's: a bearer token, at most 500 events, a known event id is ignored."""

    url: str = ""
    refuse_with: int | None = None
    on_batch: Callable[[], None] = lambda: None
    events: dict[str, dict[str, object]] = field(default_factory=dict)
    arrivals: list[str] = field(default_factory=list)
    batches: list[int] = field(default_factory=list)

    async def take(self, request: Request) -> Response:
        if request.headers.get("authorization") != "Bearer door-token":
            return JSONResponse({}, status_code=401)
        if self.refuse_with is not None:
            return JSONResponse({}, status_code=self.refuse_with)
        events = json.loads(await request.body())["events"]
        self.batches.append(len(events))
        for event in events:
            self.arrivals.append(event["id"])
            assert self.events.setdefault(event["id"], event) == event
        self.on_batch()
        return JSONResponse({"accepted": len(events)})


@dataclass
class House:
    """One server for all tests, in which each sandbox and each door is mounted under a prefix of its own."""

    address: str
    app: Starlette

    def mount(self, app: ASGIApp) -> str:
        prefix = f"/{len(self.app.router.routes)}"
        self.app.router.routes.append(Mount(prefix, app))
        return f"{self.address}{prefix}"


@pytest.fixture(scope="session")
def house() -> Iterator[House]:
    app = Starlette()
    with serving(app) as address:
        yield House(address, app)


@pytest.fixture
def door(house: House) -> PublicDoor:
    public = PublicDoor()
    public.url = house.mount(Starlette(routes=[Route("/events", public.take, methods=["POST"])])) + "/events"
    return public


class Client:
    """Speaks to a sandbox over HTTP, as a WeCom client and as our own composition."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.http = httpx.Client(base_url=address, timeout=300, trust_env=False, verify=False)
        self.token = ""

    def get(self, api: str, **query: object) -> dict:
        return self.http.get(f"/cgi-bin/{api}", params={"access_token": self.token, **query}).json()

    def post(self, api: str, /, **body: object) -> dict:
        return self.http.post(f"/cgi-bin/externalcontact/{api}", params={"access_token": self.token}, json=body).json()

    def call(self, api: str, /, **body: object) -> dict:
        """A POST of any family, by its whole name."""
        return self.http.post(f"/cgi-bin/{api}", params={"access_token": self.token}, json=body).json()

    def upload(self, api: str, content: bytes, name: str = "a.bin", **query: object) -> dict:
        answer = self.http.post(
            f"/cgi-bin/{api}", params={"access_token": self.token, **query}, files={"media": (name, content)}
        )
        return answer.json()

    def attachment(self, purpose: int, kind: str = "image") -> str:
        """The id of an upload for Moments (1) or the album (2)."""
        content = png() if kind == "image" else mp4()
        answer = self.upload("media/upload_attachment", content, media_type=kind, attachment_type=purpose)
        return str(answer["media_id"])

    def control(self, door: str, /, **body: object) -> dict:
        answer = self.http.post(f"/control/{door}", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def state(self) -> dict:
        return self.http.get("/control/state").json()

    def seed(self, spec: Spec) -> dict:
        answer = self.control("seed", **spec_json(spec))
        self.token = self.get("gettoken", corpid=spec.corp_id, corpsecret=spec.secret)["access_token"]
        return answer

    def advance(self, to: datetime) -> dict:
        return self.control("advance", to=to.isoformat())

    def send(self, *external: str, sender: str = "a", text: str = "上新了") -> dict:
        return self.post("add_msg_template", external_userid=list(external), sender=sender, text={"content": text})

    def results(self, msgid: str, userid: str = "a") -> dict[str, int]:
        answer = self.post("get_groupmsg_send_result", msgid=msgid, userid=userid)
        assert answer["errcode"] == 0, answer
        return {row["external_userid"]: row["status"] for row in answer["send_list"]}


@pytest.fixture
def open_sandbox(tmp_path: Path, house: House) -> Iterator[Callable[..., Client]]:
    """Opens sandboxes, each in a directory of its own unless one is named."""
    with contextlib.ExitStack() as stack:

        def open_one(spec: Spec | None = None, *, door: PublicDoor | None = None, name: str = "sandbox") -> Client:
            app = create_app(tmp_path / name, events_url=door.url if door else None, events_token="door-token")
            client = Client(house.mount(app))
            stack.callback(client.http.close)
            if spec is not None:
                client.seed(spec)
            return client

        yield open_one


@pytest.fixture
def wall(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Lets the platform's wall clock stand, so many seconds after the test began."""
    start = wall_now()

    def stand(seconds: float) -> None:
        monkeypatch.setattr(platform, "wall_now", lambda: start + timedelta(seconds=seconds))

    return stand


class Held:
    """Calls that a fault of `latency` keeps waiting: until they are let go, however long anything else takes."""

    def __init__(self) -> None:
        self._inside, self._open = threading.Semaphore(0), threading.Event()

    async def hold(self, _seconds: float) -> None:
        self._inside.release()
        await run_in_threadpool(self._open.wait, 60)

    def met(self, count: int) -> bool:
        """Whether so many more have begun to wait."""
        return all(self._inside.acquire(timeout=60) for _ in range(count))

    def let_go(self) -> None:
        self._open.set()


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Iterator[Held]:
    calls = Held()
    monkeypatch.setattr(platform, "sleep", calls.hold)
    yield calls
    calls.let_go()


@pytest.fixture
def sandbox(open_sandbox: Callable[..., Client]) -> Client:
    """A sandbox with the small world in it."""
    return open_sandbox(small_world())
