"""E-mail over SMTP (RFC 5321), as plain text and HTML, with one-click unsubscription (RFC 8058).

The first line of the text is the subject, an empty line follows. Every letter ends with who speaks, and with the
recipient's own page on which it stops. The Message-ID is our uid, so a bounce (RFC 3464) that brings the headers of the
letter along, and what a sending service posts about it, find their letter.

SMTP takes no key of idempotency and cannot be asked afterwards: a letter whose last answer was lost stays unknown. DKIM
is the relay's to sign; RFC 8058 wants both List-Unsubscribe fields among those that are signed.
"""

from __future__ import annotations

import email
import json
import re
import smtplib
import ssl
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from email import policy
from email.headerregistry import Address
from email.message import EmailMessage, Message
from email.utils import format_datetime
from html import escape
from typing import Any

from yutang.channels.contracts import CannotCarry, Capabilities, MessageContent
from yutang.channels.direct.calling import whole
from yutang.channels.direct.contracts import (
    Allowance,
    Answer,
    Field,
    Given,
    Heard,
    Kind,
    Letter,
    LetterState,
    Lost,
    Outcome,
    Pause,
    Report,
    Size,
    Told,
)
from yutang.kernel.clock import wall_now
from yutang.kernel.errors import BadInput

TIMEOUT = 30.0
DEAD_BOX = (550, 551, 553)
_ADDRESS = re.compile(r"[^@\s,;:<>()\[\]\\\"]+@[^@\s,;:<>()\[\]\\\"]+\.[^@\s,;:<>()\[\]\\\"]+")
_LINK = re.compile(r"https?://[^\s<>\"']+")
_OURS = re.compile(r"<(lt[0-9a-f]{30})@")
SECURITY = {"starttls": 587, "tls": 465, "none": 25}


class Mail:
    """A mailbox that speaks for the brand, behind a relay."""

    def __init__(self, given: Given) -> None:
        self._host = given["host"]
        self._security = given["security"] or "starttls"
        if self._security not in SECURITY:
            raise BadInput("加密方式应为 starttls、tls 或 none。", "The security is one of starttls, tls and none.")
        self._port = whole(given["port"] or str(SECURITY[self._security]), 1, 65_535, "端口", "The port")
        self._user, self._password = given["user"], given["password"]
        self._from, self._reply_to = _mailbox(given["from"], "发件地址", "sender's address"), given["reply_to"]
        if self._reply_to:
            _mailbox(self._reply_to, "回复地址", "reply address")
        self._name, self._identity = given["name"], given["identity"]
        if "\n" in self._name or "\r" in self._name:
            raise BadInput("发件人名称应是一行。", "The sender's name is one line.")

    def size(self, content: MessageContent) -> Size:
        """One; the text must begin with a subject."""
        subject, body = _parts(content.text)
        if not subject or not body:
            raise CannotCarry(
                "邮件文案的第一行是主题，空一行后是正文；请照此写。",
                "The first line of an e-mail's text is its subject, then an empty line, then the rest; write it so.",
            )
        return Size()

    def send(self, letters: Sequence[Letter], allowances: Mapping[str, Allowance]) -> Iterator[Answer]:
        """Over one connection, one message for each recipient."""
        smtp = self._opened()
        try:
            for one in letters:
                yield self._one(smtp, one)
        finally:
            with suppress(OSError, smtplib.SMTPException):  # all that was to be said was answered
                smtp.quit()
            smtp.close()

    def _one(self, smtp: smtplib.SMTP, letter: Letter) -> Answer:
        try:
            message = self.written(letter)
            to = "@".join(_halves(letter.recipient))
        except (ValueError, UnicodeError, IndexError):
            return Answer(letter.uid, Outcome.REFUSED, "bad_address", bad_address=True)
        try:
            for code, _said in (smtp.mail(self._from), smtp.rcpt(to)):
                if code not in (250, 251):
                    smtp.rset()
                    return _refusal(letter.uid, code)
        except (OSError, smtplib.SMTPException):  # nothing of this letter was given away yet
            raise _unreachable(self._host) from None
        try:
            code, _said = smtp.data(message)
        except smtplib.SMTPDataError as refused:
            return _refusal(letter.uid, refused.smtp_code)
        except (OSError, smtplib.SMTPException) as error:
            return Answer(letter.uid, Outcome.UNKNOWN, type(error).__name__)
        return Answer(letter.uid, Outcome.TAKEN, provider_id=letter.uid) if code == 250 else _refusal(letter.uid, code)

    def written(self, letter: Letter) -> bytes:
        """The message of a letter."""
        subject, body = _parts(letter.content.text)
        message = EmailMessage(policy=policy.SMTP)
        name, _, domain = self._from.rpartition("@")
        message["From"] = Address(self._name, name, domain)
        message["To"] = Address("", *_halves(letter.recipient))
        if self._reply_to:
            message["Reply-To"] = self._reply_to
        message["Subject"] = subject
        message["Date"] = format_datetime(wall_now())
        message["Message-ID"] = f"<{letter.uid}@{domain}>"
        foot = list(filter(None, (self._identity, letter.link and f"退订 / Unsubscribe: {letter.link}")))
        links = [f"{one.title}\n{one.url}" for one in letter.content.links]
        message.set_content("\n\n".join([body, *links, "--\n" + "\n".join(foot)] if foot else [body, *links]) + "\n")
        message.add_alternative(_html(body, letter, foot), subtype="html")
        return _one_click(letter.link) + message.as_bytes(policy=policy.SMTP)

    def find(self, letters: Sequence[Letter]) -> Sequence[Answer]:
        """A relay cannot be asked."""
        return [Answer(one.uid, Outcome.UNKNOWN) for one in letters]

    def hear(self, heard: Heard) -> Told:
        """A bounce as it is (message/rfc822, for a mailbox that pipes them here), or JSON as any service can be taught
        to post: `{"event": "bounced", "message_id": …}`, one or a list."""
        if "json" in heard.content_type:
            return Told(tuple(map(_posted, _rows(heard.body))), answer='{"ok":true}')
        return Told(tuple(read_bounce(heard.body)), answer='{"ok":true}')

    def _opened(self) -> smtplib.SMTP:
        try:
            if self._security == "tls":
                smtp: smtplib.SMTP = smtplib.SMTP_SSL(
                    self._host, self._port, timeout=TIMEOUT, context=ssl.create_default_context()
                )
            else:
                smtp = smtplib.SMTP(self._host, self._port, timeout=TIMEOUT)
        except (OSError, smtplib.SMTPException):
            raise _unreachable(self._host) from None
        try:
            smtp.ehlo()
            if self._security == "starttls":
                smtp.starttls(context=ssl.create_default_context())
                smtp.ehlo()
            if self._user:
                smtp.login(self._user, self._password)
        except smtplib.SMTPAuthenticationError:
            smtp.close()
            raise Pause(
                "邮件服务器不认这个用户名和密码。", "The mail server does not take this user and password."
            ) from None
        except smtplib.SMTPNotSupportedError:
            smtp.close()
            raise Pause(
                "邮件服务器不支持所选的加密或登录方式，请换一种。",
                "The mail server does not offer this security or log-in; choose another.",
            ) from None
        except (OSError, smtplib.SMTPException):
            smtp.close()
            raise _unreachable(self._host) from None
        return smtp


def _one_click(link: str) -> bytes:
    """The fields of RFC 8058, whole: the library would break a long address into encoded words, which nobody reads
    there. The page must be under TLS (section 3.1)."""
    if not link:
        return b""
    post = "List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n" if link.startswith("https://") else ""
    return f"List-Unsubscribe: <{link}stop/>\r\n{post}".encode("ascii")


def _unreachable(host: str) -> Pause:
    return Pause(
        f"连不上邮件服务器 {host}，请检查地址、端口、加密方式和证书。",
        f"The mail server {host} cannot be reached; check its address, port, security and certificate.",
        60.0,
    )


def _refusal(uid: str, code: int) -> Answer:
    """RFC 5321, section 4.2.1: 4yz may be tried again, 5yz not."""
    if 400 <= code < 500:
        return Answer(uid, Outcome.LATER, f"smtp_{code}")
    return Answer(uid, Outcome.REFUSED, f"smtp_{code}", bad_address=code in DEAD_BOX)


def _mailbox(text: str, zh: str, en: str) -> str:
    if not _ADDRESS.fullmatch(text) or not text.isascii():
        raise BadInput(f"{zh}「{text[:60]}」不是邮箱。", f"The {en} “{text[:60]}” is no mailbox.")
    return text


def _halves(address: str) -> tuple[str, str]:
    name, _, domain = address.rpartition("@")
    if not _ADDRESS.fullmatch(address) or not name.isascii():
        raise ValueError("no mailbox that SMTP without SMTPUTF8 reaches")
    return name, domain.encode("idna").decode()


def _parts(text: str) -> tuple[str, str]:
    subject, _, rest = text.strip().replace("\r\n", "\n").partition("\n")
    return (subject.strip(), rest.strip()) if rest.startswith(("\n", " \n")) else ("", text)


def _html(body: str, letter: Letter, foot: Sequence[str]) -> str:
    parts = [f"<p>{_rich(part)}</p>" for part in re.split(r"\n\s*\n", body)]
    parts += [f'<p><a href="{escape(one.url)}">{escape(one.title)}</a></p>' for one in letter.content.links]
    small = f'<p style="color:#5d6b6a;font-size:12px">{"<br>".join(_rich(one) for one in foot)}</p>' if foot else ""
    return (
        '<!doctype html><html><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"></head>'
        '<body style="font:16px/1.6 sans-serif;color:#1d2b2a;max-width:640px;margin:0 auto;padding:16px">'
        f"{''.join(parts)}{small}</body></html>"
    )


def _rich(text: str) -> str:
    out, at = [], 0
    for found in _LINK.finditer(text):
        out += [escape(text[at : found.start()]), f'<a href="{escape(found[0])}">{escape(found[0])}</a>']
        at = found.end()
    return "".join([*out, escape(text[at:])]).replace("\n", "<br>")


EVENTS = {
    "bounced": LetterState.BOUNCED,
    "bounce": LetterState.BOUNCED,
    "complained": LetterState.BOUNCED,
    "complaint": LetterState.BOUNCED,
    "delivered": LetterState.DELIVERED,
}


def _rows(body: bytes) -> list[dict[str, Any]]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        raise BadInput("回调内容不是 JSON。", "What was posted is not JSON.") from None
    rows = found if isinstance(found, list) else [found]
    if not all(isinstance(row, dict) and row.get("event") in EVENTS and row.get("message_id") for row in rows):
        raise BadInput(
            "每条回执要有 event（delivered、bounced 或 complained）和 message_id。",
            "Each report has an event (delivered, bounced or complained) and a message_id.",
        )
    return rows


def _posted(row: Mapping[str, Any]) -> Report:
    id = str(row["message_id"])
    found = _OURS.search(f"<{id.strip('<>')}@")
    complaint = str(row["event"]).startswith("complain")
    hard = row.get("type", "hard") in ("hard", "permanent", "Permanent")
    state = EVENTS[str(row["event"])]
    return Report(
        state, uid=found.group(1) if found else id.strip("<>").partition("@")[0],
        reason=str(row.get("reason", ""))[:60],
        bad_address=state is LetterState.BOUNCED and hard and not complaint, complaint=complaint,
    )  # fmt: skip


def read_bounce(raw: bytes) -> list[Report]:
    """What a delivery status notification (RFC 3464) says of a letter of ours. Raises BadInput for other mail."""
    message = email.message_from_bytes(raw, policy=policy.default)
    status = _first(message, "message/delivery-status")
    if status is None:
        raise BadInput("这封邮件不是退信通知（multipart/report）。", "This mail is no delivery status notification.")
    found = _OURS.search(raw.decode("latin-1"))
    if found is None:
        raise BadInput(
            "退信里没有带上我们那封信的 Message-ID。", "The bounce does not say the Message-ID of our letter."
        )
    reports = []
    blocks = status.get_payload()
    for block in blocks if isinstance(blocks, list) else []:
        if not isinstance(block, Message):
            continue
        action, code = str(block.get("Action", "")).strip().lower(), str(block.get("Status", "")).strip()
        if action == "failed":
            dead = code.startswith(("5.1.", "5.2.1")) or code == "5.0.0"
            reports.append(Report(LetterState.BOUNCED, uid=found.group(1), reason=f"dsn_{code}"[:60], bad_address=dead))
        elif action == "delivered":
            reports.append(Report(LetterState.DELIVERED, uid=found.group(1)))
    return reports


def _first(message: Message, kind: str) -> Message | None:
    with suppress(StopIteration):
        return next(part for part in message.walk() if part.get_content_type() == kind)
    return None


KIND = Kind(
    Capabilities(
        "email", "email", "邮件", "E-mail", addressed_by="email", text=100_000, links=20, recipients=20,
        per_second=10.0,
    ),
    (
        Field("host", "SMTP 服务器", "SMTP server"),
        Field("security", "加密方式", "Security", default="starttls", choices=tuple(SECURITY)),
        Field("port", "端口", "Port", needed=False, hint_zh="留空：587、465 或 25", hint_en="empty: 587, 465 or 25"),
        Field("user", "用户名", "User", needed=False),
        Field("password", "密码", "Password", secret=True, needed=False),
        Field("from", "发件地址", "Sender's address"),
        Field("name", "发件人名称", "Sender's name"),
        Field("reply_to", "回复地址", "Reply to", needed=False),
        Field(
            "identity", "落款", "Who speaks", lines=True,
            hint_zh="公司名称和联系方式；广告法要求每封营销邮件写明。",
            hint_en="the company and how to reach it: the law wants it in every message",
        ),
    ),
    Mail,
    Lost.NEVER,
    callbacks_zh="让邮件服务商把退信和投诉推送到下面的地址（JSON），或让退信邮箱把原信转投到这里（message/rfc822）。",
    callbacks_en="Let the mail service post bounces and complaints (JSON) to the address below.",
)  # fmt: skip
