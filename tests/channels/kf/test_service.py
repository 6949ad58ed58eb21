"""Customer service in the house: each word kept once and in order, answers sent once, failures told afterwards."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.reach.conftest import Stage, stage
from tests.sandbox.conftest import serving
from tests.soak import pond
from tests.soak.pond import CHANNEL, CORP
from yutang.app.channels import Channels
from yutang.channels.kf import queries, services
from yutang.channels.kf.models import Account, Message
from yutang.channels.ports.service import ServicePort
from yutang.channels.wecom.kf import SEND, WeComService
from yutang.intake.pump import pump_until_empty
from yutang.kernel.errors import NotFound, Refused
from yutang.organisation.contracts import RoleName, Viewer
from yutang.organisation.queries import OWNER, node_by_code
from yutang.sandbox.asgi import create_app

__all__ = ["stage"]
pytestmark = pytest.mark.django_db
WHO = "wm00001"  # of store s1


class Counter:
    """An account with one customer at it, and the house's port to it."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.ports = Channels(stage.sandbox).service()
        port = self.ports[CHANNEL, CORP]
        assert isinstance(port, WeComService)
        self.port: ServicePort = port
        self.account = port.add_account("门店客服", "pic")
        self.does("enter", scene="poster_1")

    def does(self, do: str, **more: object) -> dict:
        return self.stage.ask("service", do=do, open_kfid=self.account, external_userid=WHO, **more)

    def read(self, **more: object) -> services.Read:
        return services.read_account(CORP, self.port, self.account, **more)  # type: ignore[arg-type]

    def said(self) -> list[tuple[str, str, str]]:
        found = queries.conversation(OWNER, self.stage.persons[WHO])
        return [(one.origin, one.text, one.state) for one in found if one.kind == "text"]


@pytest.fixture
def counter(stage: Stage) -> Counter:
    return Counter(stage)


def test_each_word_is_kept_once_and_becomes_an_event_without_what_was_said(counter: Counter, tmp_path: Path) -> None:
    for word in ("有货吗", "M 码"):
        counter.does("say", text=word)
    token = counter.does("bell")["token"]
    assert counter.read(token=token).new == 3
    assert counter.read(token="expired-long-ago") == services.Read()
    Account.objects.update(cursor="")  # as a restored copy would begin again
    assert counter.read() == services.Read(3, 0)
    assert counter.said() == [("customer", "有货吗", ""), ("customer", "M 码", "")]
    assert len(services.meet_accounts(CORP, counter.port)) == 1
    pump_until_empty(counter.stage.warehouse)
    rows = counter.stage.rows(
        "SELECT type, source, person FROM events WHERE type IN ('message.received', 'service.entered') ORDER BY type"
    )
    person = counter.stage.persons[WHO]
    source = f"kf:{counter.account}"
    assert rows == [
        ("message.received", source, person), ("message.received", source, person), ("service.entered", source, person),
    ]  # fmt: skip
    everything = b"".join(file.read_bytes() for file in counter.stage.directory.glob("*") if file.is_file())
    assert "有货吗".encode() not in everything
    assert [one.messages for one in queries.accounts(OWNER)] == [3]


def test_an_answer_is_sent_once_and_a_failure_is_told_afterwards(counter: Counter) -> None:
    person = counter.stage.persons[WHO]
    with pytest.raises(NotFound):
        services.answer(OWNER, person, "您好")
    counter.does("say", text="有货吗")
    counter.read()
    counter.stage.faults({"api": SEND, "kind": "drop_answer", "times": 1})
    sent = services.answer(OWNER, person, "有的")
    assert services.hand_out(counter.ports) == 1
    assert counter.said()[-1] == ("house", "有的", "unknown")
    Message.objects.update(not_before=None)
    assert services.hand_out(counter.ports) == 1
    assert services.hand_out(counter.ports) == 0
    assert counter.said()[-1] == ("house", "有的", "sent")
    assert counter.does("sent")["sent"] == [sent]
    counter.does("fail", msgid=sent, fail_type=13)
    counter.read()
    last = queries.conversation(OWNER, person)[-2]
    assert (last.state, "安全限制" in last.reason) == ("failed", True)
    for _ in range(5):
        services.answer(OWNER, person, "还有别的")
    services.hand_out(counter.ports)
    assert [state for _, _, state in counter.said()[-5:]] == ["sent"] * 4 + ["refused"]
    assert "5 条" in queries.conversation(OWNER, person)[-1].reason
    assert [(one.waiting, one.failed) for one in queries.accounts(OWNER)] == [(0, 2)]


def test_only_who_sees_the_customer_reads_and_answers(counter: Counter) -> None:
    person = counter.stage.persons[WHO]
    counter.does("say", text="有货吗")
    counter.read()
    near = Viewer("near", RoleName.GUIDE, frozenset({node_by_code("s1").id}))
    far = Viewer("far", RoleName.MANAGER, frozenset({node_by_code("s2").id}))
    assert len(queries.conversation(near, person)) == 2
    for forbidden in (lambda: queries.conversation(far, person), lambda: services.answer(far, person, "您好")):
        with pytest.raises(NotFound):
            forbidden()
    with pytest.raises(Refused):
        queries.accounts(near)
    with pytest.raises(Refused):
        services.answer(Viewer("x", RoleName.ANALYST, None), person, "您好")
    assert services.answer(near, person, "您好")
    assert services.forget_conversations(services.lookups_of_person(person)) == 3
    assert queries.conversation(OWNER, person) == []


PLACES = ("kf.kept", "kf.page", "kf.claimed", "kf.sent")
KILLED = """
import sys
from pathlib import Path
from yutang.app import house
opened = house.open_house(Path(sys.argv[1]))
from tests.soak import pond
from tests.soak.pond import CORP, CHANNEL
from yutang.app.channels import Channels
from yutang.channels.kf import services
from yutang.channels.kf.models import Message
from yutang.intake.mirror import mirror_nodes
from yutang.kernel import failpoints
from yutang.organisation.queries import OWNER
from yutang.people import services as people
import pyarrow as pa
if sys.argv[3] == "found":
    pond.build(Path(sys.argv[1]), pond.Pond(persons=12, guides=3, daily_rate=0.0))
    mirror_nodes(opened.warehouse)
else:
    failpoints.arm(sys.argv[3] if sys.argv[3] != "-" else None)
    ports = Channels(sys.argv[2]).service()
    port = ports[CHANNEL, CORP]
    for kfid in services.meet_accounts(CORP, port):
        services.read_account(CORP, port, kfid)
    person = int(people.resolve_column("external_userid", CORP, pa.array(["wm00001"]))[0])
    if not Message.objects.filter(origin="house").exists():
        services.answer(OWNER, person, "在的")
    Message.objects.update(not_before=None, claim_until=None)
    Message.objects.filter(state="doing").update(state="unknown")
    services.hand_out(ports)
opened.close()
"""


@pytest.mark.long
def test_killed_anywhere_every_word_is_there_once_and_the_answer_arrives_once(tmp_path: Path) -> None:
    root = Path(__file__).parents[3]
    environment = {**os.environ, "PYTHONPATH": f"{root}{os.pathsep}{root / 'src'}"}
    data = tmp_path / "data"

    def run(word: str, address: str = "") -> int:
        command = [sys.executable, "-W", "ignore", "-c", KILLED, str(data), address, word]
        return subprocess.run(command, env=environment, capture_output=True, check=False).returncode

    assert run("found") == 0
    with serving(create_app(data / "sandbox", events_url=None, events_token=None)) as address:
        token = httpx.get(f"{address}/cgi-bin/gettoken", params={"corpid": CORP, "corpsecret": pond.SECRET}).json()
        made = httpx.post(
            f"{address}/cgi-bin/kf/account/add",
            params={"access_token": token["access_token"]},
            json={"name": "客服", "media_id": "pic"},
        ).json()

        def does(do: str, **more: object) -> dict:
            body = {"do": do, "open_kfid": made["open_kfid"], "external_userid": "wm00001", **more}
            return httpx.post(f"{address}/control/service", json=body).raise_for_status().json()

        does("enter")
        for word in ("一", "二", "三"):
            does("say", text=word)
        for place in PLACES:
            assert run(place, address) == -9, place
        assert run("-", address) == 0
        assert len(does("sent")["sent"]) == 1
        check = [sys.executable, "-W", "ignore", "-c", COUNTED, str(data)]
        told = subprocess.run(check, env=environment, capture_output=True, text=True, check=True).stdout.split()
    assert told == ["4", "4", "sent"]


COUNTED = """
import sys
from pathlib import Path
from yutang.app import house
opened = house.open_house(Path(sys.argv[1]))
from yutang.channels.kf.models import Message
from yutang.intake.pump import pump_until_empty
from yutang.warehouse.contracts import Statement
pump_until_empty(opened.warehouse)
read = Message.objects.exclude(origin="house")
text = "SELECT count(DISTINCT event_id) AS n FROM events WHERE channel = 'kf'"
told = opened.warehouse.query(Statement(text, {})).to_pylist()[0]["n"]
print(read.count(), told, Message.objects.get(origin="house").state)
opened.close()
"""
