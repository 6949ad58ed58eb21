"""Webhooks out: what is posted, to where it may go, what happens when nobody takes it, and when somebody dies."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest
from pytest_django import Settings

from tests.people.pond import found_pond
from tests.warehouse.fixtures import prepared
from yutang.channels.models import Endpoint, Parcel
from yutang.channels.webhook import queries, sending, services
from yutang.channels.webhook.contracts import ALLOW_PRIVATE, Off, ParcelState, Posted
from yutang.intake.mirror import mirror_nodes
from yutang.intake.pump import pump_until_empty
from yutang.kernel.clock import wall_now
from yutang.kernel.errors import BadInput, NotFound, Refused
from yutang.kernel.ids import EventId
from yutang.log.contracts import Event, IdentifierValue, Line
from yutang.log.services import record
from yutang.organisation.contracts import RoleName, Viewer
from yutang.organisation.queries import OWNER
from yutang.warehouse.contracts import Warehouse
from yutang.warehouse.engine import open_warehouse

AT = datetime(2026, 3, 1, 1, 30, tzinfo=UTC)


@dataclass(slots=True)
class Receiver:
    """Somebody outside, who answers as told."""

    address: str = ""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    """A real server on loopback, to which posting is allowed."""
    monkeypatch.setenv(ALLOW_PRIVATE, "1")
    made = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            made.got.append(({name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(made.status)
            for name, value in made.headers.items():
                self.send_header(name, value)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Quietly."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    made.address = f"http://127.0.0.1:{server.server_address[1]}/in?shop=1"
    yield made
    server.shutdown()
    server.server_close()


@pytest.fixture
def warehouse(db: None, tmp_path: Path, settings: Settings) -> Iterator[Warehouse]:
    """An empty pond."""
    settings.DATA = tmp_path
    found_pond()
    opened = open_warehouse(prepared(tmp_path), threads=1)
    mirror_nodes(opened)
    yield opened
    opened.close()


def order(number: int) -> Event:
    """An order of somebody with a phone."""
    return Event(
        EventId(f"o{number}"),
        "order.placed",
        AT,
        (IdentifierValue("member", "till", f"m{number}"), IdentifierValue("phone", "", f"1380013{number:04}")),
        store="s1",
        source="till",
        amount=Decimal("19.90"),
        currency="CNY",
        props={"order_id": f"o{number}"},
        lines=(Line("a", "milk", Decimal(1), Decimal("19.90")),),
    )


def seen(number: int) -> Event:
    """Somebody became known, by name."""
    return Event(EventId(f"s{number}"), "person.seen", AT, order(number).identifiers, source="till",
                 props={"name": "王小明"})  # fmt: skip


def taken_in(warehouse: Warehouse, *events: Event) -> None:
    """Events, pumped."""
    record(list(events))
    pump_until_empty(warehouse)


def test_chosen_events_are_posted_signed_with_nothing_personal(warehouse: Warehouse, receiver: Receiver) -> None:
    taken_in(warehouse, order(0))  # before anybody asked
    fresh = services.add_endpoint(OWNER, "erp", receiver.address, ["order.placed", "person.seen"])
    taken_in(warehouse, order(1), seen(1), Event(EventId("v"), "way.scanned", AT, source="way:x"), order(1))
    assert services.work().sent == 1
    ((headers, body),) = receiver.got
    key = base64.b64decode(fresh.secret.removeprefix("whsec_"))
    said = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    wanted = "v1," + base64.b64encode(hmac.new(key, said, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == wanted
    assert abs(int(headers["webhook-timestamp"]) - wall_now().timestamp()) < 60
    told = json.loads(body)
    assert told["type"] == "yutang.events"
    first, second = told["data"]["events"]
    assert (first["id"], first["amount"], first["store"], first["lines"][0]["sku"]) == ("o1", "19.90", "s1", "a")
    assert first["person"] == second["person"]
    for secret in ("王小明", "1380013", "m1", "identifiers"):
        assert secret not in body.decode()
    assert services.work().idle
    assert list(Parcel.objects.values_list("sealed", "state")) == [(None, "sent")]


def test_what_is_personal_goes_where_it_may_and_lies_sealed(warehouse: Warehouse, receiver: Receiver) -> None:
    services.add_endpoint(OWNER, "crm", receiver.address, ["person.seen"], private=True)
    taken_in(warehouse, seen(1))
    assert services.cut() == 1
    assert services.cut() == 0
    assert "王小明".encode() not in bytes(Parcel.objects.get().sealed)
    services.work()
    (event,) = json.loads(receiver.got[0][1])["data"]["events"]
    assert event["props"] == {"name": "王小明"}
    assert {"kind": "phone", "namespace": "", "value": "13800130001"} in event["identifiers"]


def test_who_is_erased_is_taken_out_of_what_waits(warehouse: Warehouse, receiver: Receiver) -> None:
    services.add_endpoint(OWNER, "crm", receiver.address, ["person.seen"], private=True)
    taken_in(warehouse, seen(1), seen(2))
    services.cut()
    last = services.forget_parcels_with(["13800130001"], 0)
    assert services.forget_parcels_with(["13800130001"], last or 0) is None
    services.work()
    (event,) = json.loads(receiver.got[0][1])["data"]["events"]
    assert event["id"] == "s2"


def test_many_events_are_few_parcels_and_each_is_told_once(warehouse: Warehouse, receiver: Receiver) -> None:
    services.add_endpoint(OWNER, "erp", receiver.address, ["order.placed"])
    taken_in(warehouse, *[order(n) for n in range(250)])
    while not services.work().idle:
        pass
    told = [event["id"] for _, body in receiver.got for event in json.loads(body)["data"]["events"]]
    assert sorted(told) == sorted(f"o{n}" for n in range(250))
    assert len({headers["webhook-id"] for headers, _ in receiver.got}) == len(receiver.got) == 3


def asked(status: int | None, wait: float | None = None) -> tuple[list[str], services.Poster]:
    """A receiver that answers so, without a network; and the ids that it saw."""
    ids: list[str] = []

    def poster(url: str, id: str, body: bytes, keys: Sequence[str]) -> Posted:
        ids.append(id)
        return Posted(status, "", wait)

    return ids, poster


def let_pass() -> None:
    """As if all waiting were over."""
    Parcel.objects.update(not_before=None)
    Endpoint.objects.update(paused_until=None)


def test_a_failure_is_tried_again_with_the_same_id_until_it_is_dead_and_can_be_redelivered(
    warehouse: Warehouse, receiver: Receiver
) -> None:
    services.add_endpoint(OWNER, "erp", receiver.address, ["order.placed"])
    taken_in(warehouse, order(1))
    ids, failing = asked(500)
    waits = []
    for _ in range(12):
        assert services.work(failing).failed == 1
        row = Parcel.objects.get()
        waits.append((row.not_before - wall_now()).total_seconds())
        assert services.work(failing).idle  # not before its time
        let_pass()
    assert len(set(ids)) == 1
    assert 2 < waits[0] <= 5
    assert all(9_000 < wait <= 21_600 for wait in waits[8:])
    (dead,) = queries.parcels(OWNER, "erp", state=ParcelState.DEAD)
    assert (dead.tries, dead.status) == (12, 500)
    assert services.work(failing).idle
    assert queries.in_trouble() == [("erp", None, 1)]
    assert services.redeliver(OWNER, "erp", dead.id) == 1
    assert services.work().sent == 1
    assert receiver.got[0][0]["webhook-id"] == ids[0]
    assert queries.in_trouble() == []


def test_retry_after_is_kept_and_a_failing_address_is_left_alone(warehouse: Warehouse, receiver: Receiver) -> None:
    services.add_endpoint(OWNER, "erp", receiver.address, ["order.placed"])
    taken_in(warehouse, order(1))
    receiver.status, receiver.headers = 503, {"Retry-After": "120"}
    services.work()
    row = Parcel.objects.get()
    assert 100 < (row.not_before - wall_now()).total_seconds() <= 120
    Parcel.objects.update(not_before=None)
    assert services.work().idle  # the address is paused as a whole
    date = (wall_now() + timedelta(seconds=90)).strftime("%a, %d %b %Y %H:%M:%S GMT")
    receiver.headers = {"Retry-After": date}
    let_pass()
    services.work()
    assert 80 < (Parcel.objects.get().not_before - wall_now()).total_seconds() <= 90


def test_an_address_that_is_gone_or_fails_for_days_is_switched_off_and_goes_on_where_it_stood(
    warehouse: Warehouse, receiver: Receiver
) -> None:
    services.add_endpoint(OWNER, "erp", receiver.address, ["order.placed"])
    taken_in(warehouse, order(1))
    services.work(asked(410)[1])
    assert queries.endpoint(OWNER, "erp").off is Off.GONE
    taken_in(warehouse, order(2))
    let_pass()
    assert services.work(asked(200)[1]).idle
    services.switch(OWNER, "erp", on=True)
    let_pass()
    assert services.work(asked(200)[1]).sent == 2
    taken_in(warehouse, order(3))
    services.work(asked(500)[1])
    Endpoint.objects.update(failing_since=wall_now() - timedelta(days=4))
    let_pass()
    services.work(asked(None)[1])
    assert queries.endpoint(OWNER, "erp").off is Off.FAILING
    assert queries.in_trouble() == [("erp", Off.FAILING, 0)]


def test_the_former_secret_signs_for_a_day(warehouse: Warehouse, receiver: Receiver) -> None:
    former = services.add_endpoint(OWNER, "erp", receiver.address, ["order.placed"]).secret
    fresh = services.renew_secret(OWNER, "erp").secret
    assert services.ping(OWNER, "erp").taken
    headers, body = receiver.got[0]
    id, at = headers["webhook-id"], int(headers["webhook-timestamp"])
    assert headers["webhook-signature"].split() == [sending.signature(s, id, at, body) for s in (fresh, former)]
    Endpoint.objects.update(former_until=wall_now())
    services.ping(OWNER, "erp")
    assert len(receiver.got[1][0]["webhook-signature"].split()) == 1


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.1.2.3", "192.168.0.9", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1", "::1", "fe80::1",
     "fd00::1", "::ffff:10.0.0.1", "64:ff9b::a00:1", "2002:a00:1::"],
)  # fmt: skip
def test_addresses_inside_are_refused(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ALLOW_PRIVATE, raising=False)
    monkeypatch.setattr(sending.socket, "getaddrinfo", lambda *_, **__: [(0, 0, 0, "", (address, 443))])
    with pytest.raises(Refused):
        sending.reachable(httpx.URL("https://innocent.example/"))
    answer = sending.post(sending.client(), "https://innocent.example/", "m", b"{}", ["whsec_AAAA"], AT)
    assert (answer.status, answer.taken) == (None, False)


def test_only_plain_https_addresses_are_taken(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ALLOW_PRIVATE, raising=False)
    for url in ("http://example.com/", "ftp://example.com", "https://user:pass@example.com/", "https://", "example.com",
                f"https://example.com/{'x' * 600}"):  # fmt: skip
        with pytest.raises(BadInput):
            services.add_endpoint(OWNER, "x", url, ["order.placed"])


def test_redirects_are_not_followed(receiver: Receiver) -> None:
    receiver.status, receiver.headers = 302, {"Location": "http://127.0.0.1:1/"}
    answer = sending.post(sending.client(), receiver.address, "m", b"{}", [sending.new_secret()], AT)
    assert (answer.status, answer.taken, len(receiver.got)) == (302, False, 1)


def test_only_headquarters_names_addresses(warehouse: Warehouse, receiver: Receiver) -> None:
    near = Viewer("near", RoleName.OPERATOR, frozenset())
    with pytest.raises(Refused):
        services.add_endpoint(near, "x", receiver.address, ["order.placed"])
    for read in (lambda: queries.endpoints(near), lambda: queries.parcels(near, "x"), lambda: services.ping(near, "x")):
        with pytest.raises(Refused):
            read()
    for types in ([], ["order.shipped"]):
        with pytest.raises(BadInput):
            services.add_endpoint(OWNER, "x", receiver.address, types)
    services.add_endpoint(OWNER, "x", receiver.address, ["order.placed"])
    with pytest.raises(BadInput):
        services.add_endpoint(OWNER, "x", receiver.address, ["order.placed"])
    services.drop_endpoint(OWNER, "x")
    with pytest.raises(NotFound):
        services.ping(OWNER, "x")


KILLED = """
import sys
from pathlib import Path
from yutang.app import house
opened = house.open_house(Path(sys.argv[1]))
from tests.channels.test_webhooks_out import order, taken_in
from tests.people.pond import found_pond
from yutang.channels.webhook import services
from yutang.intake.mirror import mirror_nodes
from yutang.kernel import failpoints
from yutang.organisation.queries import OWNER
if sys.argv[3] == "found":
    found_pond()
    mirror_nodes(opened.warehouse)
    services.add_endpoint(OWNER, "erp", sys.argv[2], ["order.placed"])
    taken_in(opened.warehouse, *[order(n) for n in range(150)])
else:
    failpoints.arm(sys.argv[3] if sys.argv[3] != "-" else None)
    while not services.work().idle:
        pass
opened.close()
"""


PLACES = ("parcel.before_cut", "parcel.cut", "parcel.claimed", "parcel.answered")


@pytest.mark.long
def test_killed_anywhere_every_event_is_posted_and_no_id_names_two_things(receiver: Receiver, tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": f"{root}{os.pathsep}{root / 'src'}"}

    def run(word: str) -> int:
        command = [sys.executable, "-c", KILLED, str(tmp_path / "data"), receiver.address, word]
        return subprocess.run(command, env=environment, capture_output=True, check=False).returncode

    assert run("found") == 0
    for place in PLACES:
        assert run(place) == -9
    assert run("-") == 0
    told: dict[str, bytes] = {}
    for headers, body in receiver.got:
        assert told.setdefault(headers["webhook-id"], body) == body
    events = [event["id"] for body in told.values() for event in json.loads(body)["data"]["events"]]
    assert sorted(events) == sorted(f"o{n}" for n in range(150))
    assert len(receiver.got) > len(told)  # what was answered and not settled is posted again
