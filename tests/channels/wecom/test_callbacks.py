"""The callback's crypto against vectors that others published, against another implementation, and against damage."""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wechatpy.work.crypto import WeChatCrypto

from yutang.channels.wecom.callbacks import BadCallback, CallbackCrypto, encrypted_part, read_notice
from yutang.channels.wecom.events import KINDS, THINGS, concerned
from yutang.sandbox import callbacks as sandbox

VECTORS: list[dict[str, Any]] = json.loads((Path(__file__).parent / "crypto_vectors.json").read_text(encoding="utf-8"))
CORP, TOKEN, KEY = "ww5823bf96d3bd56c7", "QDG6eK", "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C"
CRYPTO = CallbackCrypto(TOKEN, KEY, CORP)
ADDED = (
    "<xml><ToUserName><![CDATA[ww1]]></ToUserName><FromUserName><![CDATA[sys]]></FromUserName>"
    "<CreateTime>1403610513</CreateTime><MsgType><![CDATA[event]]></MsgType>"
    "<Event><![CDATA[change_external_contact]]></Event><ChangeType><![CDATA[add_external_contact]]></ChangeType>"
    "<UserID><![CDATA[zhangsan]]></UserID><ExternalUserID><![CDATA[wm1]]></ExternalUserID>"
    "<State><![CDATA[yt1]]></State><WelcomeCode><![CDATA[{code}]]></WelcomeCode></xml>"
)


def crypto_of(vector: dict[str, Any]) -> CallbackCrypto:
    return CallbackCrypto(vector.get("token", ""), vector["encoding_aes_key"], vector["receiveid"])


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["id"])
def test_published_vectors_open_to_what_they_say(vector: dict[str, Any]) -> None:
    crypto = crypto_of(vector)
    if "msg_signature" in vector:
        crypto.check(vector["msg_signature"], vector["timestamp"], vector["nonce"], vector["encrypt"])
    plain = crypto.decrypt(vector["encrypt"])
    if "plaintext_xml_sha1" in vector:
        assert hashlib.sha1(plain).hexdigest() == vector["plaintext_xml_sha1"]
    if "plaintext" in vector:
        assert plain.decode() == vector["plaintext"]
    if "plaintext_contains" in vector:
        assert vector["plaintext_contains"] in plain.decode()
        assert len(plain) == vector["plaintext_length"]
    if "random_prefix_ascii" in vector:
        assert crypto.encrypt(plain, vector["random_prefix_ascii"].encode()) == vector["encrypt"]


@pytest.mark.parametrize("vector", [one for one in VECTORS if "msg_signature" in one], ids=lambda vector: vector["id"])
def test_a_signature_over_anything_else_is_refused(vector: dict[str, Any]) -> None:
    crypto = crypto_of(vector)
    for name in ("timestamp", "nonce", "encrypt", "msg_signature"):
        said = {**vector, name: vector[name][:-1] + ("0" if vector[name][-1] != "0" else "1")}
        with pytest.raises(BadCallback):
            crypto.check(said["msg_signature"], said["timestamp"], said["nonce"], said["encrypt"])


@pytest.mark.parametrize("length", [0, 42, 44])
def test_a_key_of_another_length_is_refused(length: int) -> None:
    with pytest.raises(BadCallback):
        CallbackCrypto(TOKEN, "a" * length, CORP)


@given(st.text(max_size=400))
def test_whatever_is_said_comes_back(text: str) -> None:
    said = text.encode("utf-8", "replace")
    assert CRYPTO.decrypt(CRYPTO.encrypt(said)) == said


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=200))
def test_another_implementation_reads_ours_and_we_read_the_sandboxs(text: str) -> None:
    peer = WeChatCrypto(TOKEN, KEY, CORP)
    encrypted = CRYPTO.encrypt(text.encode())
    envelope = f"<xml><Encrypt><![CDATA[{encrypted}]]></Encrypt></xml>"
    said = peer.decrypt_message(envelope, CRYPTO.sign("1", "2", encrypted), "1", "2")
    assert (said.decode() if isinstance(said, bytes) else said) == text
    receiver = sandbox.Receiver("", TOKEN, KEY)
    sealed = sandbox.seal(receiver, CORP, text)
    CRYPTO.check(sandbox.sign(receiver, "1", "2", sealed), "1", "2", sealed)
    assert CRYPTO.decrypt(sealed).decode() == text


@pytest.mark.long
def test_ten_thousand_messages_are_read_either_way() -> None:
    random = Random(20)
    peer = WeChatCrypto(TOKEN, KEY, CORP)
    for number in range(10_000):
        text = "".join(
            chr(random.choice((random.randint(32, 126), random.randint(0x4E00, 0x9FFF))))
            for _ in range(random.randint(1, 300))
        )
        ours = CRYPTO.encrypt(text.encode())
        envelope = f"<xml><Encrypt><![CDATA[{ours}]]></Encrypt></xml>"
        said = peer.decrypt_message(envelope, CRYPTO.sign(str(number), "nonce", ours), str(number), "nonce")
        assert (said.decode() if isinstance(said, bytes) else said) == text
        sealed = peer.encrypt_message(text, "nonce", str(number))
        theirs = encrypted_part(sealed.encode())
        signature = ElementTree.fromstring(sealed).findtext("MsgSignature") or ""
        CRYPTO.check(signature, str(number), "nonce", theirs)
        assert CRYPTO.decrypt(theirs).decode() == text


@given(st.integers(0, 10_000), st.integers(1, 255))
def test_damaged_text_never_opens_to_something_else(place: int, flip: int) -> None:
    raw = bytearray(base64.b64decode(CRYPTO.encrypt(b"<xml>hello</xml>")))
    raw[place % len(raw)] ^= flip
    try:
        opened = CRYPTO.decrypt(base64.b64encode(raw).decode())
    except BadCallback:
        return
    # without the signature, which is looked at first, CBC lets bits of the message be flipped, and nothing else
    assert len(opened) == len(b"<xml>hello</xml>")


def test_a_message_for_another_corp_is_refused() -> None:
    with pytest.raises(BadCallback):
        CRYPTO.decrypt(CallbackCrypto(TOKEN, KEY, "ww-other").encrypt(b"hello"))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not xml",
        b"<xml></xml>",
        b'<!DOCTYPE x [<!ENTITY a "b">]><xml><Encrypt>&a;</Encrypt></xml>',
        b"<xml><Encrypt> </Encrypt></xml>",
        b"<xml>" + b"<a>" * 200_000,
        b"\xff\xfe<\x00x\x00",
        b"<xml>" + b" " * (1 << 20) + b"</xml>",
    ],
    ids=range(8),
)
def test_bodies_that_wecom_does_not_send_are_refused(body: bytes) -> None:
    with pytest.raises(BadCallback):
        encrypted_part(body)


def test_an_event_is_one_event_whichever_app_is_told_and_another_is_another() -> None:
    one = read_notice("ww1", ADDED.format(code="A").encode())
    other = read_notice("ww1", ADDED.format(code="B").encode())
    assert one.digest != other.digest
    assert one.event_id == other.event_id
    assert one.event_type == "relation.added"
    assert one.occurred_at == datetime(2014, 6, 24, 11, 48, 33, tzinfo=UTC)
    for before, after in (("wm1", "wm2"), ("1403610513", "1403610514"), ("zhangsan", "lisi"), ("yt1", "yt2")):
        assert read_notice("ww1", ADDED.format(code="A").replace(before, after).encode()).event_id != one.event_id
    assert read_notice("ww2", ADDED.format(code="A").encode()).event_id != one.event_id


@pytest.mark.parametrize("said", ["", "-1", "99999999999999999999", "soon", "٣", "0"])
def test_a_time_that_is_none_is_none(said: str) -> None:
    assert read_notice("ww1", ADDED.replace("1403610513", said).encode()).occurred_at is None


def test_what_lacks_its_member_or_customer_is_no_friendship() -> None:
    assert read_notice("ww1", ADDED.replace("wm1", "").encode()).event_type is None
    assert read_notice("ww1", b"<xml><Event>enter_agent</Event></xml>").kind == "enter_agent"


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_named_and_says_what_it_concerns(kind: str) -> None:
    event, _, change = kind.partition("/")
    said = {"Event": event, "ChangeType": change, **{name: f"id-{name}" for name in THINGS}, "CreateTime": "1403610513"}
    body = "".join(f"<{name}>{text}</{name}>" for name, text in said.items() if text)
    notice = read_notice("ww1", f"<xml>{body}</xml>".encode())
    assert notice.kind == kind
    assert concerned(notice) == tuple((name, f"id-{name}") for name in KINDS[kind].concerns)


def test_what_a_kind_that_nobody_knows_concerns_is_told_too() -> None:
    body = b"<xml><Event>brand_new</Event><FromUserName>sys</FromUserName><ChatId>wr1</ChatId></xml>"
    assert concerned(read_notice("ww1", body)) == (("ChatId", "wr1"),)


def test_a_list_of_members_is_read_as_its_items() -> None:
    body = b"<xml><Event>change_external_chat</Event><MemChangeList><Item>a</Item><Item>b</Item></MemChangeList></xml>"
    assert read_notice("ww1", body).get("MemChangeList") == "a\x1eb"
