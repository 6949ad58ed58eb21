"""Letters to a system of one's own: signed as Standard Webhooks has it, checked here by hand."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

import pytest

from tests.channels.direct.contract import SECRET, AdapterContract
from tests.channels.direct.provider import Asked
from yutang.channels.direct.contracts import Heard, Outcome
from yutang.kernel.errors import BadInput

KEY = base64.b64encode(SECRET.encode()).decode()


class TestWebhook(AdapterContract):
    name = "webhook"
    corp = "crm"
    text = "会员日到了，到店即享 8 折。"
    recipients = ("m1", "m2", "m3")
    delivered = json.dumps({"id": f"lt{0:030x}", "event": "delivered"}).encode()

    def settings(self) -> dict[str, str]:
        return {"url": f"{self.provider.address}/letters", "secret": f"whsec_{KEY}"}

    def answers(self, status: int) -> None:
        def answering(asked: Asked) -> Any:
            headers = asked.headers
            text = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + asked.body
            wanted = base64.b64encode(hmac.new(SECRET.encode(), text, hashlib.sha256).digest()).decode()
            return status if headers["webhook-signature"] == f"v1,{wanted}" else 401

        self.provider.answering = answering

    def takes(self) -> None:
        self.answers(204)

    def taken(self) -> list[str]:
        (asked,) = self.provider.asked
        assert asked.headers["webhook-id"] == "ltcall"
        letters = asked.json["data"]["letters"]
        assert {one["text"] for one in letters} == {self.text}
        assert [one["id"] for one in letters] == [f"lt{index:030x}" for index in range(3)]
        return [one["to"] for one in letters]

    def refuses(self) -> None:
        self.answers(422)

    def test_one_bad_address_spoils_no_other_letter(self) -> None:
        """It answers for all of them together, and tells of each later."""
        said = json.dumps({"id": f"lt{1:030x}", "event": "bounced", "type": "hard"}).encode()
        (report,) = self.adapter().hear(Heard("POST", {}, "application/json", said)).reports
        assert (report.uid, report.bad_address) == (f"lt{1:030x}", True)

    def is_slow(self) -> None:
        self.answers(429)

    def locks_out(self) -> None:
        self.answers(401)

    def goes_dead(self) -> None:
        self.answers(503)

    def elsewhere(self) -> dict[str, str]:
        return {"url": "http://127.0.0.1:9/"}

    def test_what_was_lost_is_repeated_under_the_same_ids(self) -> None:
        self.answers(503)
        adapter = self.adapter()
        assert self.send(adapter, "m1")[0].outcome is Outcome.UNKNOWN
        self.takes()
        assert self.send(adapter, "m1")[0].outcome is Outcome.TAKEN
        first, second = self.provider.asked
        assert first.headers["webhook-id"] == second.headers["webhook-id"]
        assert first.json["data"] == second.json["data"]

    def test_an_address_inside_is_refused(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("YUTANG_WEBHOOKS_PRIVATE")
        with pytest.raises(BadInput):
            self.adapter()
