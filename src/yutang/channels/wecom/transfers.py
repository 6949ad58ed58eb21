"""WeCom's inheritance of customers (docs 92125, 94088, 92124, 94081, 94082) behind `TransferPort`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from yutang.channels.contracts import RefusedByPlatform
from yutang.channels.ports.inheritance import HandedOver, TransferStatus, Unassigned
from yutang.channels.wecom import errcodes
from yutang.channels.wecom.client import WeComClient, instant
from yutang.channels.wecom.groups import WeComGroups

ON_JOB, ON_JOB_RESULT = "externalcontact/transfer_customer", "externalcontact/transfer_result"
RESIGNED, RESIGNED_RESULT = "externalcontact/resigned/transfer_customer", "externalcontact/resigned/transfer_result"
UNASSIGNED = "externalcontact/get_unassigned_list"
A_CALL = 100
MESSAGE_CHARACTERS = 200
_STATUS = {
    1: TransferStatus.DONE,
    2: TransferStatus.WAITING,
    3: TransferStatus.REFUSED,
    4: TransferStatus.FULL,
    5: TransferStatus.NONE,
}


class WeComTransfers:
    """`TransferPort` on WeCom."""

    def __init__(self, client: WeComClient) -> None:
        self._client = client
        self._groups = WeComGroups(client)

    def unassigned(self) -> Sequence[Unassigned]:
        """`get_unassigned_list`, to its end."""
        rows, _ = self._client.rows(
            UNASSIGNED,
            {"page_size": 1000},
            "info",
            lambda row: (str(row["handover_userid"]), str(row["external_userid"])),
        )
        return [
            Unassigned(str(row["handover_userid"]), str(row["external_userid"]), instant(row.get("dimission_time")))
            for row in rows
        ]

    def transfer(
        self, handover: str, takeover: str, customers: Sequence[str], *, resigned: bool, message: str = ""
    ) -> Mapping[str, int]:
        """`transfer_customer` of at most a hundred, asked once: on `AnswerLost` read `results` before asking again.

        Each customer's code: 0 where the transfer has begun.
        """
        body = {"handover_userid": handover, "takeover_userid": takeover, "external_userid": list(customers)}
        if message and not resigned:
            body["transfer_success_msg"] = message[:MESSAGE_CHARACTERS]
        answer = self._client.call(RESIGNED if resigned else ON_JOB, body=body, repeatable=False)
        return {str(row["external_userid"]): int(row.get("errcode") or 0) for row in answer.get("customer") or ()}

    def results(self, handover: str, takeover: str, *, resigned: bool) -> Mapping[str, HandedOver]:
        """`transfer_result`: how it stands with each customer between two members."""
        rows, _ = self._client.rows(
            RESIGNED_RESULT if resigned else ON_JOB_RESULT,
            {"handover_userid": handover, "takeover_userid": takeover},
            "customer",
            lambda row: str(row["external_userid"]),
        )
        return {
            str(row["external_userid"]): HandedOver(
                _STATUS.get(int(row.get("status") or 0), TransferStatus.NONE), instant(row.get("takeover_time"))
            )
            for row in rows
        }

    def hand_over_groups(self, chats: Sequence[str], owner: str, *, on_job: bool) -> Mapping[str, RefusedByPlatform]:
        """`groupchat/onjob_transfer`, or `groupchat/transfer` of an owner who left."""
        return self._groups.hand_over(chats, owner, on_job=on_job)

    def owners_of(self, chats: Sequence[str]) -> Mapping[str, str | None]:
        """`groupchat/get` of each, several at once."""
        return {chat: found.owner if found is not None else None for chat, found in self._groups.read_groups(chats)}


def refusal_of(errcode: int) -> RefusedByPlatform:
    """What the code beside one customer means, with what to do about it."""
    return errcodes.refusal(ON_JOB, errcode, "")
