"""Callbacks of customer service and of acquisition links, carried to the real door, are read again at once."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.reflex.conftest import Shore, shore
from tests.soak.pond import CHANNEL, CORP
from yutang.channels.acquisition.queries import news, quotas
from yutang.channels.kf import queries
from yutang.channels.sync import kf, services
from yutang.channels.sync.models import SyncHint
from yutang.channels.wecom.kf import WeComService
from yutang.connect.models import Code
from yutang.kernel.clock import wall_now
from yutang.organisation.queries import OWNER

__all__ = ["shore"]
pytestmark = pytest.mark.django_db


def work(shore: Shore) -> None:
    """Work through what was hinted at, as if its rest were over."""
    SyncHint.objects.update(not_before=wall_now() - timedelta(seconds=1))
    while not services.work_hints(shore.channels.syncs()).idle:
        SyncHint.objects.update(not_before=wall_now() - timedelta(seconds=1))


def test_a_bell_is_answered_by_reading_and_what_it_missed_is_found_by_the_sync(shore: Shore) -> None:
    port = shore.channels.service()[CHANNEL, CORP]
    assert isinstance(port, WeComService)
    account = port.add_account("门店客服", "pic")
    person = shore.stage.persons["wm00001"]

    def does(do: str, **more: object) -> None:
        shore.ask("service", do=do, open_kfid=account, external_userid="wm00001", **more)

    does("enter")
    does("say", text="有货吗")
    shore.carry_all(2)
    assert SyncHint.objects.filter(kind="kf").count() == 2
    work(shore)
    assert [one.text for one in queries.conversation(OWNER, person) if one.kind == "text"] == ["有货吗"]
    assert not SyncHint.objects.exists()
    does("say", text="还在吗")
    shore.letters_of(1)  # this bell is lost
    connection = shore.channels.syncs()[CHANNEL, CORP]
    found = kf.sync(connection.corp, connection.client, lambda done, total: None)  # type: ignore[arg-type]
    assert (found.read, found.added) == (1, 1)
    shore.stage.faults({"api": "kf/account/list", "kind": "refuse", "errcode": 48002})
    assert kf.sync(connection.corp, connection.client, lambda done, total: None).note[1]  # type: ignore[arg-type]


def test_what_is_told_of_quota_and_links_is_kept(shore: Shore) -> None:
    shore.keep_way(channel="acquisition", source="ad", name="feed")
    link = Code.objects.get(way__name="feed").config_id
    shore.ask("acquisition", do="quota", left=20)
    shore.ask("acquisition", do="add", link=link, state=shore.token("feed"))
    shore.ask("acquisition", do="break", link=link)
    shore.carry_all(5)
    work(shore)
    assert [one.balance for one in quotas()] == [19]
    assert news()[CORP, link].news == "link_unavailable"
    shore.ask("acquisition", do="delete", link=link)
    shore.carry_all(1)
    work(shore)
    assert news()[CORP, link].news == "delete_link"
