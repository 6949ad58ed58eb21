"""Reading the session archive: once, forward, after a death, with consent only, and sealed."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from tests.channels.archive.library import Library, Talk, make_key, pem_of
from tests.people.pond import found_pond, friend
from tests.sandbox.conftest import Client, house, open_sandbox, sandbox
from yutang.channels.archive import reading, services
from yutang.channels.archive.contracts import LibraryFailed, ReadSoFar
from yutang.channels.archive.locks import private_key, unlock
from yutang.channels.archive.reading import CONTEXT, read_on
from yutang.channels.models import Archive, ArchivedMessage
from yutang.channels.wecom.audit import Agreement, WeComAudit
from yutang.channels.wecom.client import WeComClient
from yutang.channels.wecom.tokens import MemoryTokenStore
from yutang.kernel import failpoints
from yutang.kernel.clock import wall_now
from yutang.kernel.encryption import keyring
from yutang.kernel.errors import BadInput, NotFound, Unavailable
from yutang.log.contracts import Event
from yutang.log.services import unseal
from yutang.people.identity import births_of
from yutang.people.services import give_consent, withdraw_consent

__all__ = ["house", "open_sandbox", "sandbox"]

CORP = "corp"
AT = datetime(2025, 10, 9, 8, 53, 20, tzinfo=UTC)
PLACES = ("archive.opened", "archive.before_commit", "archive.after_commit")


@pytest.fixture(scope="module")
def keys() -> dict[int, RSAPrivateKey]:
    """Two versions: making a key takes long."""
    return {1: make_key(), 2: make_key()}


@dataclass
class Words:
    """Who agreed: everybody who is not named."""

    against: set[tuple[str, str]] = field(default_factory=set)
    unknown: set[tuple[str, str]] = field(default_factory=set)
    rooms: dict[str, dict[str, bool]] = field(default_factory=dict)

    def agreements(self, pairs: Collection[tuple[str, str]]) -> Mapping[tuple[str, str], Agreement]:
        known = [pair for pair in pairs if pair not in self.unknown]
        return {pair: Agreement(pair not in self.against, False, None) for pair in known}

    def room_agreements(self, room: str) -> Mapping[str, Agreement]:
        return {who: Agreement(agrees, True, None) for who, agrees in self.rooms.get(room, {}).items()}


@pytest.fixture
def words() -> Words:
    return Words()


@pytest.fixture
def talk(db: None, keys: dict[int, RSAPrivateKey]) -> Talk:
    """A pond whose corp has an archive, and what is said in it."""
    found_pond()
    services.open_archive(CORP, "archive-secret")
    services.add_key(CORP, 1, pem_of(keys[1]))
    return Talk()


@pytest.fixture
def library(talk: Talk, keys: dict[int, RSAPrivateKey]) -> Library:
    return Library(keys, talk)


def told() -> list[Event]:
    """What the inbox holds."""
    from yutang.log.models import InboxEnvelope

    return [event for row in InboxEnvelope.objects.order_by("pk") for event in unseal(bytes(row.sealed))]


def opened() -> list[dict[str, object]]:
    """What was kept, as it was said."""
    rows = ArchivedMessage.objects.filter(state="kept").order_by("seq")
    return [json.loads(keyring().decrypt(bytes(row.sealed), CONTEXT)) for row in rows]


def test_what_is_said_is_kept_sealed_and_told_without_its_words(talk: Talk, library: Library, words: Words) -> None:
    talk.say("wang", "wmc0", text="到店有礼 13800001111")
    talk.say("wmc0", "Wang", text="好的")
    talk.say("wang", "li", text="同事之间")
    assert read_on(CORP, library, words, synthetic=True) == ReadSoFar(3, 2, 1, 0, 2)
    assert [(event.type, event.occurred_at, event.staff, event.store) for event in told()] == [
        ("message.written", AT + timedelta(milliseconds=1), "wang", "s1"),
        ("message.received", AT + timedelta(milliseconds=2), "wang", "s1"),
    ]
    assert {event.identifiers for event in told()} == {(friend("wmc0"),)}
    assert told()[0].props == {"kind": "text", "synthetic": True}
    first, second = opened()
    assert (first["from"], first["to"], first["text"]) == ("wang", ["wmc0"], {"content": "到店有礼 13800001111"})
    assert second["customers"] == ["wmc0"]
    for row in ArchivedMessage.objects.all():
        assert "到店".encode() not in bytes(row.sealed)
    rows = ArchivedMessage.objects.order_by("seq").values_list("kind", "member", "inbound", "room", "sent_at")
    assert list(rows)[1] == ("text", "Wang", True, "", AT + timedelta(milliseconds=2))


def test_again_nothing_is_new_and_a_message_that_comes_twice_is_one(talk: Talk, library: Library, words: Words) -> None:
    once = talk.say("wang", "wmc0")
    assert read_on(CORP, library, words).kept == 1
    assert read_on(CORP, library, words) == ReadSoFar()
    talk.say("wang", "wmc0", msgid=once)
    talk.say("wang", "wmc0", msgid="other_external")
    talk.say("wang", "wmc0", msgid="other_external")
    assert read_on(CORP, library, words) == ReadSoFar(2, 1, 0, 0, 1)
    assert (len(opened()), len(told())) == (2, 2)
    assert Archive.objects.get().seq == 4


def test_it_goes_by_portions_and_never_back(talk: Talk, library: Library, words: Words) -> None:
    for number in range(5):
        talk.say("wang", "wmc0", seq=10 * (number + 1))
    assert read_on(CORP, library, words, most=2) == ReadSoFar(5, 5, 0, 0, 5)
    assert library.asked == [(0, 2), (20, 2), (40, 2), (50, 2)]

    def everything(seq: int, limit: int) -> list[dict[str, object]]:
        return talk.rows[:limit]  # a library that forgot what it was asked

    assert read_on(CORP, Library(library.keys, everything), words) == ReadSoFar()
    assert Archive.objects.get().seq == 50


def test_of_two_readers_one_keeps_a_portion(talk: Talk, library: Library) -> None:
    talk.say("wang", "wmc0")

    @dataclass
    class Slow(Words):
        """While agreements are asked for, another process reads the same."""

        def agreements(self, pairs: Collection[tuple[str, str]]) -> Mapping[tuple[str, str], Agreement]:
            read_on(CORP, library, Words())
            return super().agreements(pairs)

    assert read_on(CORP, library, Slow()) == ReadSoFar()
    assert (len(opened()), len(told())) == (1, 1)


@pytest.mark.parametrize("place", PLACES)
def test_dying_anywhere_loses_and_doubles_nothing(
    talk: Talk, library: Library, words: Words, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    for _ in range(3):
        talk.say("wang", "wmc0")

    def die(name: str) -> None:
        assert name in failpoints.FAILPOINTS
        if name == place:
            raise KeyboardInterrupt

    with monkeypatch.context() as dying:
        dying.setattr(reading, "failpoint", die)
        with pytest.raises(KeyboardInterrupt):
            read_on(CORP, library, words, most=2)
    read_on(CORP, library, words, most=2)
    assert (len(opened()), len(told()), len({event.id for event in told()})) == (3, 3, 3)


def test_only_what_customers_agree_to_is_kept(talk: Talk, library: Library, words: Words) -> None:
    words.against.add(("wang", "wmno"))
    words.unknown.add(("wang", "wmwho"))
    for who in ("wmno", "wmwho", "wmyes"):
        talk.say(who, "wang")
    words.rooms["wr1"] = {"wmyes": True, "wmno": False}
    talk.say("wmyes", "wang", "wmno", room="wr1")
    talk.say("wmno", "wang", "wmyes", room="wr1")
    talk.say("wang", "wmyes", "wmno", room="wr1")
    talk.say("wmyes", "wang", room="wr-unknown")
    assert read_on(CORP, library, words) == ReadSoFar(7, 2, 5, 0, 2)
    assert [(event.identifiers[0].value, event.props, event.staff) for event in told()] == [
        ("wmyes", {"kind": "text"}, "wang"),
        ("wmyes", {"kind": "text", "group": "wr1"}, None),
    ]
    words.rooms["wr1"] = {"wmyes": True}
    talk.say("wang", "wmyes", room="wr1")
    assert read_on(CORP, library, words) == ReadSoFar(1, 1, 0, 0, 0)  # kept, but it was said to nobody in particular


def test_a_word_about_the_archive_is_a_word_about_consent(talk: Talk, library: Library, words: Words) -> None:
    words.against.add(("wang", "wmc0"))
    talk.say("wmc0", "wang", kind="disagree", disagree={"userid": "wmc0", "disagree_time": 1})
    talk.say("wmc0", "wang", kind="agree", agree={"userid": "wmc0", "agree_time": 2})
    talk.say("wmc0", "wang", kind="revoke", action="recall", revoke={"pre_msgid": "1"})
    words.against.clear()
    assert read_on(CORP, library, words) == ReadSoFar(3, 3, 0, 0, 2)
    assert [(event.type, event.props["purpose"], event.props["channel"]) for event in told()] == [
        ("consent.withdrawn", "archive", "wecom"),
        ("consent.given", "archive", "wecom"),
    ]


def test_who_said_no_to_us_is_not_kept_whatever_the_platform_says(talk: Talk, library: Library, words: Words) -> None:
    (person,) = births_of([(friend("wmc0"),)], [AT], synthetic=False)
    withdraw_consent(person, "archive", "wecom", at=AT, proof="打电话来说的")
    talk.say("wmc0", "wang")
    assert read_on(CORP, library, words) == ReadSoFar(1, 0, 1, 0, 0)
    give_consent(person, "archive", "*", at=AT + timedelta(days=1), proof="到店签字")
    talk.say("wmc0", "wang")
    assert read_on(CORP, library, words).kept == 1


def test_a_message_whose_key_is_missing_waits_and_is_opened_once_it_is_there(
    talk: Talk, library: Library, words: Words, keys: dict[int, RSAPrivateKey]
) -> None:
    talk.say("wang", "wmc0")
    talk.say("wmc0", "wang", text="用新密钥")
    talk.say("wang", "li")
    library.version_of = {2: 2, 3: 2}
    assert read_on(CORP, library, words) == ReadSoFar(3, 1, 0, 2, 1)
    (facts,) = services.archives()
    assert (facts.seq, facts.kept, facts.unopened, facts.missing_keys) == (3, 1, 2, (2,))
    services.add_key(CORP, 2, pem_of(keys[1]))  # the wrong one
    assert read_on(CORP, library, words) == ReadSoFar()
    asked = len(library.asked)
    services.add_key(CORP, 2, pem_of(keys[2]))
    assert read_on(CORP, library, words) == ReadSoFar(0, 1, 1, -2, 1)
    assert len(library.asked) == asked + 1
    assert [one["text"] for one in opened()] == [{"content": "您好"}, {"content": "用新密钥"}]
    assert [event.type for event in told()] == ["message.written", "message.received"]
    assert services.archives()[0].unopened == 0
    assert Archive.objects.get().keys_changed == 0


def test_a_damaged_message_does_not_stand_in_the_way(talk: Talk, library: Library, words: Words) -> None:
    talk.say("wang", "wmc0")
    talk.say("wang", "wmc0")

    class Torn(Library):
        def get_chat_data(self, seq: int, limit: int) -> bytes:
            said = json.loads(super().get_chat_data(seq, limit))
            for row in said["chatdata"][:1]:
                row["encrypt_random_key"] = "not base64!"
            return json.dumps(said).encode()

    assert read_on(CORP, Torn(library.keys, talk), words) == ReadSoFar(2, 1, 0, 1, 1)


def test_refusals(talk: Talk, library: Library, words: Words) -> None:
    with pytest.raises(NotFound):
        read_on("another", library, words)
    library.errcode = 10009
    with pytest.raises(LibraryFailed, match="10009"):
        read_on(CORP, library, words)
    for version, pem in ((0, ""), (3, "no key"), (3, pem_of(make_short()))):
        with pytest.raises(BadInput):
            services.add_key(CORP, version, pem)
    with pytest.raises(BadInput):
        services.open_archive(CORP, "")
    services.open_archive(CORP, "another-secret")
    assert services.secret_of(CORP) == "another-secret"
    assert services.secret_of("another") is None


def make_short() -> RSAPrivateKey:
    from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key

    return generate_private_key(65537, 1024)


def test_our_own_step_opens_what_the_platform_locks(keys: dict[int, RSAPrivateKey]) -> None:
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15

    locked = base64.b64encode(keys[1].public_key().encrypt(b"random key", PKCS1v15())).decode()
    assert unlock(private_key(pem_of(keys[1])), locked) == b"random key"
    assert unlock(keys[2], locked) != b"random key"
    assert unlock(keys[1], "@@@") is None
    assert unlock(keys[1], base64.b64encode(b"short").decode()) is None


def test_a_file_is_fetched_by_slices_until_it_ends(library: Library) -> None:
    whole = hashlib.sha256(b"x").digest() * 40_000
    library.files["f1"] = whole
    pieces = list(services.fetch_file(library, "f1"))
    assert (len(pieces), b"".join(pieces)) == (3, whole)
    with pytest.raises(LibraryFailed, match="301048"):
        list(services.fetch_file(library, "gone"))
    with pytest.raises(Unavailable):
        list(services.fetch_file(library, "f1", most=1000))


def test_what_was_kept_is_forgotten_with_its_customer_and_in_the_end(
    talk: Talk, library: Library, words: Words
) -> None:
    talk.say("wang", "wmc0")
    talk.say("wang", "wmc1")
    read_on(CORP, library, words)
    at: int | None = 0
    while at is not None:
        at = services.forget_messages_of(["wmc0"], at, limit=1)
    assert [one["customers"] for one in opened()] == [["wmc1"]]
    assert services.forget_old_messages() == 0
    ArchivedMessage.objects.update(read_at=wall_now() - services.KEEP - timedelta(days=1))
    assert services.forget_old_messages() == 1


@pytest.mark.wecom("msgaudit/check_single_agree", "msgaudit/check_room_agree")
def test_the_sandboxes_chats_are_read_with_its_own_word_on_who_agrees(
    sandbox: Client, talk: Talk, keys: dict[int, RSAPrivateKey]
) -> None:
    services.open_archive("ww-sandbox", "synthetic")
    services.add_key("ww-sandbox", 1, pem_of(keys[1]))
    client = WeComClient(sandbox.address, "ww-sandbox", "synthetic", token_store=MemoryTokenStore())
    audit = WeComAudit(client.of_app("synthetic"))
    sandbox.control("archive", members={"a": 2})
    for who, by in (("wmc0", "member"), ("wmc0", "customer"), ("wmc1", "customer")):
        sandbox.control("archive", say={"userid": "a", "external_userid": who, "by": by, "text": "您好"})
    # What was said before somebody disagreed is in the archive still; it is asked about now.
    sandbox.control("archive", answers=[{"userid": "a", "external_userid": "wmc1", "agrees": False}])

    def said(seq: int, limit: int) -> list[dict[str, object]]:
        return sandbox.http.get("/control/archive", params={"seq": seq, "limit": limit}).json()["said"]  # type: ignore[no-any-return]

    assert read_on("ww-sandbox", Library(keys, said), audit, synthetic=True) == ReadSoFar(3, 2, 1, 0, 2)
    assert [(event.type, event.identifiers[0].value) for event in told()] == [
        ("message.written", "wmc0"),
        ("message.received", "wmc0"),
    ]


KILLED = """
import sys
from pathlib import Path
from yutang.app import house
opened = house.open_house(Path(sys.argv[1]))
from tests.channels.archive.library import Library, Talk, make_key, pem_of
from tests.channels.archive.test_reading import CORP, Words
from tests.people.pond import found_pond
from yutang.channels.archive import services
from yutang.channels.archive.locks import private_key
from yutang.channels.archive.reading import read_on
from yutang.channels.models import ArchivedMessage, ArchiveKey
from yutang.kernel import failpoints
from yutang.log.models import InboxEnvelope
if sys.argv[2] == "found":
    found_pond()
    services.open_archive(CORP, "archive-secret")
    services.add_key(CORP, 1, pem_of(make_key()))
else:
    talk = Talk()
    for _ in range(30):
        talk.say("wang", "wmc0")
    failpoints.arm(sys.argv[2] if sys.argv[2] != "-" else None)
    library = Library({1: private_key(ArchiveKey.objects.get().pem)}, talk)
    read_on(CORP, library, Words(), most=7)
    events = sum(InboxEnvelope.objects.values_list("events", flat=True))
    print(ArchivedMessage.objects.filter(state="kept").count(), events)
opened.close()
"""


@pytest.mark.long
def test_killed_anywhere_every_message_is_kept_once(tmp_path: Path) -> None:
    root = Path(__file__).parents[3]
    environment = {**os.environ, "PYTHONPATH": f"{root}{os.pathsep}{root / 'src'}"}

    def run(word: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", KILLED, str(tmp_path / "data"), word]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    assert run("found").returncode == 0
    for place in PLACES:
        assert run(place).returncode == -9
    done = run("-")
    assert (done.returncode, done.stdout.split()) == (0, ["30", "30"])
