"""Nobody who reads the files of a data directory learns a name or a phone number."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import duckdb
import pytest

from tests import stores
from yutang.kernel.encryption import Keyring, install_keyring, keyring
from yutang.log.contracts import IdentifierValue

ROOT = Path(__file__).parents[2]
NAMES = ("暗桩一号", "Plantagenet Secret", "暗桩三号", "暗桩四号")
PHONES = ("13911117771", "13911117772", "13911117773", "13911117774")
MEMBERS, FRIENDS = ("M-SECRET-1", "M-SECRET-2"), ("wmSECRETsecret3", "wmSECRETsecret4")
MAILS = ("planted@secret.example",)
CONTROL = "harmless-marker-42"

BUILD = """
import csv, json, sys
from pathlib import Path
from yutang.app import house
directory = Path(sys.argv[1])
NAMES, PHONES, MEMBERS, FRIENDS, MAILS, CONTROL = json.loads(sys.argv[2])
opened = house.open_house(directory)
from django.test import Client
from yutang.intake import imports, mirror
from yutang.intake.pump import pump_until_empty
from yutang.kernel.clock import business_now
from yutang.kernel.errors import BadInput
from yutang.organisation import services as organisation
from yutang.organisation.contracts import NodeKind, RoleName
from yutang.organisation.queries import OWNER
from yutang.organisation.services import NewNode, NewSender
from yutang.people import services as people
from yutang.playbooks.services import keep_shipped
from yutang.profiles import services as profiles
from yutang.reach import planning, services as reach
from yutang.reach.documents import BroadcastDocument
from yutang.sandbox.contracts import Customer, Member, Relation, Spec
from yutang.sandbox.world import seed

organisation.set_up_brand("鱼塘", "CNY", "Asia/Shanghai")
keep_shipped()
organisation.add_nodes([NewNode(CONTROL, CONTROL, NodeKind.STORE)])
organisation.add_senders([NewSender(CONTROL, NAMES[3], "wecom", "corp", "guide")])
mirror.mirror_nodes(opened.warehouse)
organisation.add_user("boss", "correct horse battery", RoleName.OWNER)

head = ["order_id", "placed_at", "sku", "quantity", "amount", "member", "phone", "name", "store"]
rows = [[CONTROL, "2026-03-01 10:00:00", "a", "1", "19.90", MEMBERS[0], PHONES[0], NAMES[0], CONTROL]]
def write(name, rows):
    with (directory.parent / name).open("w", encoding="utf-8") as file:
        csv.writer(file).writerows([head, *rows])
    return directory.parent / name
imports.import_orders(opened.warehouse, write("good.csv", rows), source="till", author="owner")
# the columns are mixed up: what is refused goes into an error file
wrong = [["o9", NAMES[1], PHONES[1], PHONES[2], NAMES[2], MEMBERS[1], "x" + PHONES[1], NAMES[1], CONTROL]]
try:
    imports.import_orders(opened.warehouse, write("bad.csv", wrong), source="till", author="owner")
except BadInput:
    pass
else:
    raise SystemExit("the bad file was taken")

token = organisation.issue_token("till", ["events:write", "read"])
client = Client(headers={"Authorization": f"Bearer {token}"})
def post(*events):
    answer = client.post("/api/v1/events", {"events": list(events)}, "application/json")
    return answer.status_code
person = [{"kind": "phone", "value": PHONES[1]}, {"kind": "member", "namespace": "till", "value": MEMBERS[1]},
          {"kind": "email", "value": MAILS[0]}]
base = {"occurred_at": "2026-03-01T09:30:00+08:00", "identifiers": person, "source": "till"}
seen = {**base, "id": "e1", "type": "person.seen", "props": {"name": NAMES[1], "phone": PHONES[1]}}
assert post(seen) == 202
said = {"purpose": "marketing", "channel": "wecom", "proof": f"{NAMES[1]} {PHONES[1]}"}
assert post({**base, "id": "e2", "type": "consent.given", "props": said}) == 202
assert post({**base, "id": "e3", "type": "order.placed", "amount": "3", "currency": "CNY",
             "props": {"order_id": "o3", "name": NAMES[1]}}) == 422
pump_until_empty(opened.warehouse)
assert post({**seen, "id": "e4"}) == 202  # waits in the inbox
friend = [{"kind": "external_userid", "namespace": "corp", "value": FRIENDS[0]}, {"kind": "phone", "value": PHONES[2]}]
added = {**base, "id": "e5", "type": "relation.added", "identifiers": friend, "store": CONTROL, "staff": "guide",
         "props": {"way": "poster"}}
assert post(added) == 202

import pyarrow as pa
births = people.load_persons(pa.table({"external_userid": [FRIENDS[1]], "phone": [PHONES[3]], "name": [NAMES[2]],
                                       "home_store": [CONTROL]}), source="till", corp="corp")
senders = organisation.add_senders([])
people.load_relations(pa.table({"person": births, "sender": [senders["guide"]],
                                "added_at": pa.array([business_now()], pa.timestamp("us", "UTC"))}))
pump_until_empty(opened.warehouse)
profiles.rebuild(opened.warehouse, business_now())
web = Client()
from yutang.organisation.models import User
web.force_login(User.objects.get(username="boss"), "allauth.account.auth_backends.AuthenticationBackend")
for path in ("/", "/persons/", f"/persons/?find={PHONES[0]}", f"/persons/?find={NAMES[0]}", f"/persons/{births[0]}/",
             f"/persons/{births[0]}/?export=csv", "/persons/?export=csv", "/settings/"):
    assert web.get(path).status_code in (200, 302), path
plan = {"kind": "broadcast", "name": "plan", "title": {"zh": "计划", "en": "Plan"}, "audience": {"everyone": True},
        "purpose": "marketing", "message": {"text": "你好"}}
reach.launch(BroadcastDocument.model_validate(plan), OWNER)
planning.plan_due(opened.warehouse, patience=10)
seed(directory / "sandbox", Spec(
    corp_id="corp", secret="secret", seed=1, start_at=business_now(),
    members=(Member("guide", "导购 01", "at_once"),),
    customers=(Customer(FRIENDS[0], "顾客 0001", None, 0.1, 3.0, 0.5, CONTROL),),
    relations=(Relation("guide", FRIENDS[0], business_now()),), effect_days=3.0, zone="Asia/Shanghai"))
for extra in ("good.csv", "bad.csv"):
    (directory.parent / extra).unlink()
import os
print("built", flush=True)
os._exit(9)  # as if killed: WAL files stay behind
"""


def build(folder: Path) -> Path:
    """A data directory into which names and phones went by every door; its process died with its WALs open."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    planted = json.dumps([NAMES, PHONES, MEMBERS, FRIENDS, MAILS, CONTROL])
    environment = {**os.environ, **stores.environment(folder), "PYTHONPATH": str(ROOT / "src"), "YUTANG_LANG": "en"}
    done = subprocess.run(
        [sys.executable, "-c", BUILD, str(folder), planted], env=environment, capture_output=True, text=True
    )
    assert done.stdout == "built\n", done.stderr
    told = done.stdout + done.stderr
    assert not [secret for secret in (*NAMES, *PHONES) if secret in told], "the process's own words tell"
    return folder


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `build` made, for all tests here."""
    return build(tmp_path_factory.mktemp("secrets") / "data")


def spellings(text: str) -> Iterator[bytes]:
    """A text as it may stand in a file."""
    yield text.encode()
    yield text.encode("utf-16-le")
    yield text.encode("gb18030")
    yield json.dumps(text)[1:-1].encode()


def files_with(directory: Path, text: str | bytes) -> list[str]:
    """The files in which a text, or a hash, can be read."""
    wanted = {text} if isinstance(text, bytes) else set(spellings(text))
    return [
        str(path.relative_to(directory))
        for path in sorted(directory.rglob("*"))
        if path.is_file() and any(one in path.read_bytes() for one in wanted)
    ]


def dumped(directory: Path) -> dict[str, str]:
    """Every table of every database, as text."""
    found = {f"yutang.{table}": text for table, text in stores.dump(directory).items()}
    for path in (directory / "sandbox").rglob("*.sqlite3"):
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:  # else its WAL would go
            connection.text_factory = lambda raw: raw.decode("utf-8", "replace")
            for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
                rows = connection.execute(f'SELECT * FROM "{table}"').fetchall()
                found[f"{path.name}.{table}"] = "\n".join(_text(value) for row in rows for value in row)
    with duckdb.connect(directory / "warehouse.duckdb") as warehouse:
        for (table,) in warehouse.execute("SELECT table_name FROM duckdb_tables()").fetchall():
            rows = warehouse.execute(f'SELECT * FROM "{table}"').fetchall()
            found[f"warehouse.{table}"] = "\n".join(_text(value) for row in rows for value in row)
    return found


def _text(value: object) -> str:
    return f"{value.decode('utf-8', 'replace')} {value.hex()}" if isinstance(value, bytes) else str(value)


def told(directory: Path, sandbox: bool) -> dict[str, list[str]]:
    """Where each planted secret can be read: in which files, in which tables."""
    tables = dumped(directory)
    found = {
        secret: [
            *files_with(directory, secret),
            *(table for table, text in tables.items() if secret in text),
        ]
        for secret in (*NAMES, *PHONES, *MAILS)
    }
    places = {secret: [one for one in where if one.startswith("sandbox") == sandbox] for secret, where in found.items()}
    return {secret: where for secret, where in places.items() if where}


@pytest.mark.long
def test_no_file_and_no_table_of_the_house_tells_a_name_or_a_phone(directory: Path) -> None:
    assert told(directory, sandbox=False) == {}


@pytest.mark.long
def test_the_sandbox_tells_no_name_either(directory: Path) -> None:
    """It is seeded with labels; whatever reaches it from the house (tasks, texts) must bring no name along."""
    assert told(directory, sandbox=True) == {}


@pytest.mark.long
def test_the_houses_own_tables_tell_no_identifier(directory: Path) -> None:
    """The sandbox stands for WeCom itself, and must know its customers' external_userids."""
    house = {table: text for table, text in dumped(directory).items() if table.startswith(("yutang.", "warehouse."))}
    for identifier in (*MEMBERS, *FRIENDS):
        assert [table for table, text in house.items() if identifier in text] == [], identifier


@pytest.mark.long
def test_the_same_search_finds_what_is_no_secret(directory: Path) -> None:
    assert ("sandbox.sqlite3" if stores.on_postgres() else "yutang.sqlite3") in " ".join(files_with(directory, CONTROL))
    tables = {table for table, text in dumped(directory).items() if CONTROL in text}
    assert {"yutang.organisation_node", "warehouse.orders", "warehouse.nodes"} <= tables


@pytest.mark.long
def test_an_error_file_was_written_and_a_wal_left(directory: Path) -> None:
    names = {path.name for path in directory.rglob("*")}
    assert any(name.endswith("-errors.csv") for name in names)
    assert any(name.endswith("-wal") for name in names)


# Erasing (must show 5) ---------------------------------------------------------------------------------------------

ERASED = ((MEMBERS[0], PHONES[0]), (MEMBERS[1], PHONES[1], MAILS[0]), (FRIENDS[0], PHONES[2]))
STAYS = (FRIENDS[1], PHONES[3])
ERASE = """
import json, os, sys
from pathlib import Path
from yutang.app import house
directory = Path(sys.argv[1])
phones, again = json.loads(sys.argv[2]), sys.argv[3:] == ["again"]
opened = house.open_house(directory)
import csv
from yutang.guard import services
from yutang.intake import imports
from yutang.intake.pump import pump_until_empty
from yutang.log.contracts import Event, IdentifierValue
from yutang.organisation.queries import OWNER
from yutang.people.queries import find_by_identifier

found = {phone: find_by_identifier(OWNER, phone) for phone in phones}
for phone in phones[:-1]:
    for person in found[phone]:
        services.erase(opened.warehouse, OWNER, person)
services.go_on(opened.warehouse, 10)
if again:  # the same file once more, and an event that waited at its sender
    path = directory.parent / "again.csv"
    path.write_text("order_id,placed_at,sku,quantity,amount,phone,name\\n" + "".join(
        f"{number},2026-03-01 10:00:00,a,1,1.00,{phone},x\\n" for number, phone in enumerate(phones)))
    imports.import_orders(opened.warehouse, path, source="till", author="owner")
    path.unlink()
    from datetime import UTC, datetime
    from yutang.log.services import record
    record([Event(f"late-{phone}"[:5] + str(n), "person.seen", datetime(2026, 3, 2, tzinfo=UTC),
                  (IdentifierValue("phone", "", phone),)) for n, phone in enumerate(phones)])
    pump_until_empty(opened.warehouse)
print(json.dumps([len(found[phone]) for phone in phones]
                 + [len(find_by_identifier(OWNER, phone)) for phone in phones]), flush=True)
os._exit(9)  # as if killed
"""


def run_erase(folder: Path, place: str = "", *more: str) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ, **stores.environment(folder), "PYTHONPATH": str(ROOT / "src"), "YUTANG_LANG": "en",
        "YUTANG_FAILPOINT": place,
    }  # fmt: skip
    phones = json.dumps([*(one[1] for one in ERASED), STAYS[1]])
    return subprocess.run(
        [sys.executable, "-c", ERASE, str(folder), phones, *more], env=environment, capture_output=True, text=True
    )


@pytest.fixture(scope="module")
def erased(directory: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same directory after three of its four persons were erased, by a process that was killed in the middle and
    another that went on; then what had brought them came once more."""
    folder = tmp_path_factory.mktemp("erased") / "data"
    shutil.copytree(directory, folder, ignore=shutil.ignore_patterns("*.sock"))
    stores.copy(directory, folder)
    killed = run_erase(folder, "erase.rewritten")
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    done = run_erase(folder, "", "again")
    assert json.loads(done.stdout) == [0, 1, 1, 1, 0, 0, 0, 1], (done.stdout, done.stderr)
    return folder


def hashes(directory: Path, told: str) -> list[bytes]:
    """The look-up hashes that an identifier may have."""
    ring = Keyring.load_or_create(directory / "secret.key")
    value = f"+86{told}" if told in PHONES else told
    kinds = (("phone", ""), ("member", "till"), ("external_userid", "corp"), ("email", ""))
    return [ring.lookup_hash(kind, space, value) for kind, space in kinds]


def places(directory: Path, told: str) -> set[str]:
    """Every file and table in which an identifier stands, in clear or as a look-up hash."""
    tables = {name: text for name, text in dumped(directory).items() if name.startswith(("yutang.", "warehouse."))}
    found = {name for name in files_with(directory, told) if not name.startswith("sandbox")}
    found |= {table for table, text in tables.items() if told in text}
    for one in hashes(directory, told):
        found |= set(files_with(directory, one))
        found |= {table for table, text in tables.items() if one.hex() in text}
    return found


@pytest.mark.long
def test_of_an_erased_person_no_identifier_is_left_in_clear_or_as_a_hash(directory: Path, erased: Path) -> None:
    for person in ERASED:
        for identifier in person:
            assert "yutang.people_identifier" in places(directory, identifier), "the search finds them before"
            assert places(erased, identifier) == set(), identifier
    assert {"yutang.connect_join"} <= places(directory, FRIENDS[0])
    for identifier in STAYS:
        assert "yutang.people_identifier" in places(erased, identifier), "the search finds who stays"


@pytest.mark.long
def test_of_an_erased_person_only_the_do_not_contact_hash_remains(erased: Path) -> None:
    tables = dumped(erased)
    ring = Keyring.load_or_create(erased / "secret.key")
    install_before, kept = keyring(), tables["yutang.people_donotcontact"].split()
    install_keyring(ring)
    try:
        from yutang.people.shunned import digest_of

        digest = digest_of(IdentifierValue("phone", "", f"+86{PHONES[0]}")).hex()
    finally:
        install_keyring(install_before)
    assert digest in kept
    where = {table for table, text in tables.items() if digest in text}
    assert where == {"yutang.people_donotcontact"}
    assert set(files_with(erased, digest)) == {"erasures.list"}
    assert tables["yutang.guard_erasure"].count("done") == 3
    assert "None" in tables["yutang.guard_erasure"]
