"""Our connector of inheritance, end to end against the sandbox."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.sandbox.conftest import DAY, START, Client, door, house, open_sandbox, sandbox
from yutang.channels.contracts import AnswerLost, RefusedByPlatform
from yutang.channels.ports.inheritance import HandedOver, TransferStatus, Unassigned
from yutang.channels.wecom.client import WeComClient
from yutang.channels.wecom.transfers import ON_JOB, WeComTransfers, refusal_of

__all__ = ["door", "house", "open_sandbox", "sandbox"]


@pytest.fixture
def transfers(sandbox: Client, connect: Callable[..., WeComClient]) -> WeComTransfers:
    """Our connector, at the sandbox with the small world in it."""
    return WeComTransfers(connect("ww-sandbox", "synthetic", base_url=sandbox.address))


@pytest.mark.wecom("externalcontact/transfer_customer", "externalcontact/transfer_result")
def test_customers_are_handed_over_on_the_job(sandbox: Client, transfers: WeComTransfers) -> None:
    begun = transfers.transfer("a", "b", ["wmc0", "wmc1", "wmd"], resigned=False, message="您好")
    assert begun == {"wmc0": 0, "wmc1": 0, "wmd": 40131}
    assert "no longer" in refusal_of(begun["wmd"]).en
    assert transfers.results("a", "b", resigned=False)["wmc0"] == HandedOver(TransferStatus.WAITING, START + DAY)
    sandbox.control("transfers", do="refuse", external_userid="wmc1")
    sandbox.advance(START + DAY)
    assert {who: one.status for who, one in transfers.results("a", "b", resigned=False).items()} == {
        "wmc0": TransferStatus.DONE,
        "wmc1": TransferStatus.REFUSED,
    }
    assert transfers.results("a", "b", resigned=True) == {}


@pytest.mark.wecom(
    "externalcontact/get_unassigned_list", "externalcontact/resigned/transfer_customer",
    "externalcontact/resigned/transfer_result",
)  # fmt: skip
def test_the_customers_of_who_left_are_read_and_given_away(sandbox: Client, transfers: WeComTransfers) -> None:
    with pytest.raises(RefusedByPlatform, match="40097"):
        transfers.transfer("a", "b", ["wmc0"], resigned=True)
    sandbox.control("transfers", do="leave", userid="a")
    assert transfers.unassigned()[0] == Unassigned("a", "wmc0", START)
    assert transfers.transfer("a", "b", ["wmc0"], resigned=True) == {"wmc0": 0}
    assert transfers.results("a", "b", resigned=True) == {"wmc0": HandedOver(TransferStatus.WAITING, START + DAY)}


def test_a_lost_answer_is_read_not_repeated(sandbox: Client, transfers: WeComTransfers) -> None:
    sandbox.control("faults", faults=[{"api": ON_JOB, "kind": "drop_answer", "times": 1}])
    with pytest.raises(AnswerLost):
        transfers.transfer("a", "b", ["wmc0"], resigned=False)
    assert transfers.results("a", "b", resigned=False)["wmc0"].status is TransferStatus.WAITING
