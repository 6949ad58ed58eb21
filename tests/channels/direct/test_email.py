"""E-mail through a real SMTP server."""

from __future__ import annotations

import email
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from email import policy
from email.message import EmailMessage

import pytest

from tests.channels.direct.contract import SECRET, AdapterContract, letters
from tests.channels.direct.provider import Mailbox, over_smtp
from yutang.channels.contracts import Link, MessageContent, Permit
from yutang.channels.direct.adapters.email import Mail, read_bounce
from yutang.channels.direct.contracts import Given, Heard, LetterState, Outcome, Pause
from yutang.kernel.errors import BadInput

UID = f"lt{0:030x}"
pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")
BOUNCE = """From: MAILER-DAEMON@mx.example
To: hello@pond.example
Subject: Undelivered Mail Returned to Sender
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="b1"

--b1
Content-Type: text/plain

No such user here.

--b1
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example
Arrival-Date: Sun, 1 Mar 2026 10:00:00 +0800

Final-Recipient: rfc822; gone@example.com
Action: {action}
Status: {status}
Diagnostic-Code: smtp; 550 5.1.1 no such user

--b1
Content-Type: text/rfc822-headers

Message-ID: <{uid}@pond.example>
Subject: =?utf-8?b?5Lya5ZGY5pel?=

--b1--
"""


class TestEmail(AdapterContract):
    name = "email"
    text = "会员日到了\n\n奶粉今日 8 折。\n详情 https://pond.example/d?a=1&b=2\n\n到店即享"
    wrong_text = "没有主题，直接就是正文"
    recipients = ("ann@example.com", "bob@example.com", "cy@example.com")
    delivered = json.dumps({"event": "delivered", "message_id": f"<{UID}@pond.example>"}).encode()
    provider: Mailbox  # type: ignore[assignment]

    @contextmanager
    def serving(self) -> Iterator[Mailbox]:
        with over_smtp(log_in=True) as box:
            box.users = {"hello": SECRET}
            yield box

    def settings(self) -> dict[str, str]:
        return {
            "host": self.provider.host, "port": str(self.provider.port), "security": "none", "user": "hello",
            "password": SECRET, "from": "hello@pond.example", "name": "鱼塘母婴", "reply_to": "care@pond.example",
            "identity": "鱼塘母婴有限公司\n上海市某路 1 号 · 400-000-0000",
        }  # fmt: skip

    def takes(self) -> None:
        """It does unless told otherwise."""

    def taken(self) -> list[str]:
        assert {sender for sender, _, _ in self.provider.taken} == {"hello@pond.example"}
        return [one for _, recipients, _ in self.provider.taken for one in recipients]

    def refuses(self) -> None:
        self.provider.data = "554 5.7.1 message content rejected"

    def knows_not(self, recipient: str) -> None:
        self.provider.codes[recipient] = "550 5.1.1 no such user"

    def is_slow(self) -> None:
        self.provider.codes[self.recipients[0]] = "451 4.7.1 greylisted, come back"

    def locks_out(self) -> None:
        self.provider.users = {}

    def goes_dead(self) -> None:
        self.provider.hangs_up = True

    def elsewhere(self) -> dict[str, str]:
        return {"port": "9"}

    def provider_was_not_asked(self) -> bool:
        return not self.provider.taken

    def read(self) -> EmailMessage:
        (_, _, raw) = self.provider.taken[0]
        message = email.message_from_bytes(raw, policy=policy.default)
        assert isinstance(message, EmailMessage)
        return message

    def test_a_letter_reads_in_plain_text_and_html_and_says_who_speaks_and_how_it_stops(self) -> None:
        content = MessageContent(
            self.text, (Link("看看 <新品>", "https://pond.example/n?a=1&b=2"),), Permit("marketing")
        )
        list(Mail(Given("main", self.settings())).send(letters(content, "ann@example.com"), {}))
        message = self.read()
        assert message["From"].addresses[0].display_name == "鱼塘母婴"
        assert (message["Reply-To"], message["Subject"]) == ("care@pond.example", "会员日到了")
        assert message["Message-ID"] == f"<{UID}@pond.example>"
        plain, html = message.get_body(("plain",)), message.get_body(("html",))
        assert plain is not None
        assert html is not None
        for part in (plain.get_content(), html.get_content()):
            for wanted in ("奶粉今日 8 折。", "鱼塘母婴有限公司", "https://pond.example/p/token0/"):
                assert wanted in part
        assert '<a href="https://pond.example/d?a=1&amp;b=2">' in html.get_content()
        assert "看看 &lt;新品&gt;" in html.get_content()
        assert "会员日到了" not in plain.get_content()

    def test_one_click_is_offered_as_rfc_8058_has_it_and_only_where_the_page_is_under_tls(self) -> None:
        adapter = Mail(Given("main", self.settings()))
        (letter,) = letters(self.content, "ann@example.com")
        assert b"\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n" in adapter.written(letter)
        message = email.message_from_bytes(adapter.written(letter))
        assert message["List-Unsubscribe"] == "<https://pond.example/p/token0/stop/>"
        assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
        plain = email.message_from_bytes(adapter.written(replace(letter, link="http://127.0.0.1:8000/p/token0/")))
        assert (plain["List-Unsubscribe"] is None, plain["List-Unsubscribe-Post"]) == (False, None)

    def test_no_line_of_a_text_becomes_a_header(self) -> None:
        text = "主题\r\n\r\nBcc: eve@example.com\r\n\r\n正文"
        content = MessageContent(text, permit=Permit("marketing"))
        list(self.adapter().send(letters(content, "ann@example.com"), {}))
        assert self.read()["Bcc"] is None
        for bad in ("a@b\nBcc: eve@example.com", "ann@example.com, eve@example.com", "用户@example.com", "ann"):
            (answer,) = self.adapter().send(letters(content, bad), {})
            assert (answer.outcome, answer.bad_address) == (Outcome.REFUSED, True)
        with pytest.raises(BadInput):
            self.adapter(name="鱼塘\nBcc: eve@example.com")

    def test_letters_before_the_line_went_dead_are_taken_and_those_after_wait(self) -> None:
        adapter = self.adapter()
        first, second, third = letters(self.content, *self.recipients)
        sending = iter(adapter.send([first, second, third], {}))
        assert next(sending).outcome is Outcome.TAKEN  # type: ignore[call-overload]
        self.provider.hangs_up = True
        assert next(sending).outcome is Outcome.UNKNOWN  # type: ignore[call-overload]
        with pytest.raises(Pause):
            next(sending)  # type: ignore[call-overload]

    def test_a_server_without_the_wanted_security_pauses(self) -> None:
        with pytest.raises(Pause, match="security"):
            self.send(self.adapter(security="starttls"), self.recipients[0])
        with pytest.raises(BadInput):
            self.adapter(security="ssl3")

    def test_a_hard_bounce_is_told_from_one_that_may_pass(self) -> None:
        dead = BOUNCE.format(action="failed", status="5.1.1", uid=UID).encode()
        (report,) = self.adapter().hear(Heard("POST", {}, "message/rfc822", dead)).reports
        assert (report.state, report.uid, report.bad_address) == (LetterState.BOUNCED, UID, True)
        (full,) = read_bounce(BOUNCE.format(action="failed", status="5.2.2", uid=UID).encode())
        assert (full.state, full.bad_address) == (LetterState.BOUNCED, False)
        assert read_bounce(BOUNCE.format(action="delayed", status="4.4.1", uid=UID).encode()) == []
        with pytest.raises(BadInput):
            read_bounce(BOUNCE.format(action="failed", status="5.1.1", uid="someone-else").encode())

    def test_what_a_sending_service_posts_is_understood(self) -> None:
        said = [
            {"event": "bounced", "message_id": UID, "type": "soft", "reason": "mailbox full"},
            {"event": "complained", "message_id": f"<{UID}@pond.example>"},
        ]
        told = self.adapter().hear(Heard("POST", {}, "application/json", json.dumps(said).encode()))
        soft, complaint = told.reports
        assert (soft.uid, soft.bad_address) == (UID, False)
        assert (complaint.uid, complaint.complaint, complaint.bad_address) == (UID, True, False)
