"""Acquisition links are ways of another kind: made once, found again, attributed, closed; their quota is watched."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tests.reflex.conftest import Shore
from tests.soak.pond import CORP
from yutang.channels.acquisition import queries as told
from yutang.channels.acquisition.contracts import LinkNews
from yutang.channels.acquisition.services import note_news
from yutang.connect import queries, services
from yutang.connect.contracts import CodeState
from yutang.connect.models import Code, Join
from yutang.connect.telling import lasts
from yutang.intake.pump import pump_until_empty
from yutang.kernel.clock import business_now, wall_now
from yutang.kernel.errors import BadInput, NotFound, Refused
from yutang.organisation.contracts import RoleName, Viewer
from yutang.organisation.queries import OWNER

pytestmark = pytest.mark.django_db
CREATE = "externalcontact/customer_acquisition/create_link"
LINK = {"channel": "acquisition", "source": "ad", "name": "feed"}


def turn(shore: Shore) -> int:
    return services.turn(shore.channels.contact_ways())


def code() -> Code:
    return Code.objects.get(way__name="feed")


def alive(shore: Shore) -> list[str]:
    """The states of the links that work at the platform."""
    port = shore.channels.contact_ways()["acquisition", CORP]
    now = business_now()
    return [one.state for one in port.find_ways(now - timedelta(days=1), now + timedelta(days=1))]


def test_a_link_is_made_once_found_after_a_lost_answer_and_closed(shore: Shore) -> None:
    shore.stage.faults({"api": CREATE, "kind": "drop_answer", "times": 1})
    shore.keep_way(**LINK)
    assert code().state == CodeState.UNKNOWN
    turn(shore)
    assert (code().state, alive(shore)) == (CodeState.LIVE, [code().token])
    facts = queries.way(OWNER, "feed")
    assert facts.codes[0].qr_code.endswith(f"?customer_channel={code().token}")
    assert queries.opened(facts.slug).whole == facts.codes[0].qr_code
    shore.keep_way(**LINK, routing={"by": "staff", "staff": ["guide01"], "departments": [2]})
    assert alive(shore) == [code().token]
    assert turn(shore) == 0
    services.close_way("feed", OWNER)
    turn(shore)
    assert (code().state, code().qr_code, alive(shore)) == (CodeState.CLOSED, "", [])
    services.close_way("feed", OWNER, closed=False)
    turn(shore)
    assert alive(shore) == [code().token]
    with pytest.raises(BadInput):
        shore.keep_way(name="feed", source="ad")  # a code is no link
    with pytest.raises(BadInput):
        shore.keep_way(name="other", routing={"by": "staff", "departments": [2]})
    near = Viewer("near", RoleName.OPERATOR, frozenset())
    with pytest.raises(NotFound):
        services.close_way("feed", near)
    with pytest.raises(Refused):
        queries.quota_outlooks(near)


def test_whoever_comes_by_a_link_is_attributed_like_by_a_way_and_uses_up_the_quota(shore: Shore) -> None:
    shore.keep_way(**LINK, cost={"fixed": "0", "per_head": "20"})
    for _ in range(3):
        shore.ask("acquisition", do="add", link=code().config_id, state=code().token)
    shore.carry_all(9)  # opened, asked, became friends
    assert Join.objects.filter(way="feed").count() == 3
    shore.stage.jump(2)
    pump_until_empty(shore.stage.warehouse)
    from yutang.intake import mirror
    from yutang.profiles import services as profiles

    mirror.mirror_facts(shore.stage.warehouse)
    profiles.refresh_now(shore.stage.warehouse)
    facts = queries.way(OWNER, "feed")
    result = queries.results(shore.stage.warehouse, OWNER, [facts])["feed"]
    assert (result.joined, result.cost) == (3, 60)
    told.Quota.objects.update(read_at=wall_now() - services.QUOTA_EVERY)
    turn(shore)
    (outlook,) = queries.quota_outlooks(OWNER)
    assert (outlook.quota.total, outlook.quota.balance, outlook.low) == (1000, 997, False)
    assert outlook.per_day == pytest.approx(3 / 14)
    assert outlook.days is not None
    assert outlook.lost > 900  # at three a fortnight most of a year's quota expires


def test_what_the_platform_tells_of_a_link_is_shown_until_somebody_acts(shore: Shore) -> None:
    shore.keep_way(**LINK)
    before, now = code().config_id, business_now()
    note_news(CORP, before, LinkNews.UNAVAILABLE, now)
    turn(shore)
    assert "加不了客户" in queries.way(OWNER, "feed").trouble
    shore.ask("acquisition", do="add", link=before, state=code().token)
    shore.carry_all(3)
    assert queries.way(OWNER, "feed").trouble == ""  # it works again
    shore.ask("acquisition", do="delete", link=before)
    note_news(CORP, before, LinkNews.DELETED, now + timedelta(minutes=1))
    note_news(CORP, before, LinkNews.UNAVAILABLE, now)  # late
    turn(shore)
    assert (code().state, turn(shore)) == (CodeState.GONE, 0)
    assert "删除" in queries.way(OWNER, "feed").trouble
    shore.keep_way(**LINK)
    assert (code().state, code().config_id != before) == (CodeState.LIVE, True)


def test_how_long_a_quota_lasts() -> None:
    now = datetime(2026, 3, 1, tzinfo=UTC)
    soon, later = now + timedelta(days=10), now + timedelta(days=100)
    assert lasts(100, [(later, 100)], 5.0, now) == (20.0, 0)
    assert lasts(300, [(soon, 200), (later, 100)], 10.0, now) == (20.0, 100)  # half of the first expires
    assert lasts(50, [], 5.0, now) == (10.0, 0)
    assert lasts(300, [(soon, 200), (later, 100)], 0.0, now) == (None, 300)
    assert lasts(0, [], 3.0, now) == (0.0, 0)
