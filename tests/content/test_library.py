"""The library: variables with fall-backs, approval by somebody else, and plans that say a content."""

from __future__ import annotations

from typing import Any

import pytest

from tests.reach.conftest import CREATE, Stage
from tests.reach.conftest import stage as stage  # a fixture
from tests.soak import pond
from yutang.content import queries, services
from yutang.content.checking import BrokenRules
from yutang.content.contracts import Standing
from yutang.content.documents import Content
from yutang.content.rendering import LONGEST, Variable, longest, render
from yutang.documents.services import save_document
from yutang.kernel.documents import parse
from yutang.kernel.errors import BadDocument, BadInput, NotFound, Refused
from yutang.organisation.contracts import RoleName, Viewer
from yutang.organisation.models import Staff
from yutang.organisation.queries import OWNER
from yutang.playbooks.services import keep_shipped
from yutang.reach import services as reach
from yutang.reach.contracts import BatchState
from yutang.reach.documents import BroadcastDocument
from yutang.reach.lift import Interval
from yutang.reach.models import Plan, Run
from yutang.reach.queries import plan as plan_of
from yutang.reach.uses import effects_of, together, uses

OPENED = 0.5  # hours after the start
ANN, BO = (Viewer(name, RoleName.OPERATOR, None) for name in ("ann", "bo"))
STORE = Viewer("店长", RoleName.MANAGER, frozenset())


def content(name: str = "hello_all", **changes: Any) -> Content:
    """A content with a text."""
    data = {"kind": "content", "name": name, "title": {"zh": "问好", "en": "Hello"}, "text": "您好，我是{导购|店员}。"}
    return parse(Content, data | changes)


def saying(name: str, content: str, **changes: Any) -> BroadcastDocument:
    """A broadcast that says a content."""
    data = pond.broadcast(name).as_data() | {"message": {"content": content}} | changes
    return parse(BroadcastDocument, data)


def ask_for_approval() -> None:
    rules = queries.content_rules()
    assert rules is not None
    save_document(rules.model_copy(update={"approval": True}), "ann")


# Variables --------------------------------------------------------------------------------------------------------


def test_what_is_unknown_is_said_by_its_fall_back() -> None:
    text = "{称呼|您}好，我是{store|本店}的{导购|店员}，{{preferences}}"
    assert render(text, {}) == "您好，我是本店的店员，{{preferences}}"
    assert render(text, {Variable.GUIDE: "小陈", Variable.STORE: " "}) == "您好，我是本店的小陈，{{preferences}}"
    assert len(longest("{导购|我}")) == LONGEST == len(render("{导购|我}", {Variable.GUIDE: "长" * 99}))
    assert render("{品牌|}", {}) == ""


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{生日|今天}好", "生日"),
        ("{称呼}好", "{称呼|您}"),
        ("您好}", "成对"),
        ("{称呼|" + "长" * 41 + "}", "40"),
        ("{称呼|a{b}", "成对"),
    ],
)
def test_a_variable_that_nobody_knows_or_without_a_fall_back_is_told(text: str, told: str) -> None:
    with pytest.raises(BadDocument) as caught:
        content(text=text)
    assert told in caught.value.problems[0].zh


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"text": ""}, "empty"),
        ({"link": {"title": "长" * 43, "url": "https://example.com"}}, "128"),
        ({"link": {"title": "x", "url": "http://example.com"}}, "https"),
        ({"mini_program": {"title": "x", "appid": "wx1", "page": "p", "picture": "https://example.com/1"}}, "appid"),
    ],
)
def test_a_content_that_no_platform_takes_is_told(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(BadDocument) as caught:
        content(**changes)
    assert told in str(caught.value.problems)


# Keeping and approving --------------------------------------------------------------------------------------------


@pytest.fixture
def kept(db: None) -> None:
    keep_shipped()


def test_what_may_not_be_said_is_not_even_kept(kept: None) -> None:
    for changes in ({"text": "全网最低价"}, {"link": {"title": "转发领红包", "url": "https://example.com"}}):
        with pytest.raises(BrokenRules):
            services.keep_content(content(**changes), ANN)
    with pytest.raises(BrokenRules, match="Absolute"):
        services.keep_content(content(text="全网{品牌|最低}价"), ANN)
    with pytest.raises(NotFound):
        queries.content("hello_all")


def test_a_group_buy_with_a_card_is_for_chats_and_not_for_moments(kept: None) -> None:
    card = {"link": {"title": "三人成团", "url": "https://example.com/g"}, "text": "今晚开团"}
    services.keep_content(content(**card), ANN)
    with pytest.raises(BrokenRules, match="Moments"):
        services.keep_content(content(**card, place="moments"), ANN)


def test_only_headquarters_write_and_a_name_is_taken_once(kept: None) -> None:
    with pytest.raises(Refused):
        services.keep_content(content(), STORE)
    assert services.keep_content(content(), ANN, base=0).version == 1
    with pytest.raises(BadInput, match="taken"):
        services.keep_content(content(text="另一个"), BO, base=0)
    with pytest.raises(BadInput, match="version 1"):
        services.keep_content(content(text="另一个"), BO, base=3)


def test_without_approval_asked_for_the_newest_version_is_used(kept: None) -> None:
    services.keep_content(content(), ANN)
    services.keep_content(content(text="二"), ANN)
    assert queries.content_named("hello_all").version == 2
    assert queries.content_named("hello_all", 1).document.text.startswith("您好")
    with pytest.raises(BadInput, match="approval"):
        services.submit("hello_all", 2, ANN)


def test_a_version_is_used_once_somebody_else_has_approved_it(kept: None) -> None:
    ask_for_approval()
    services.keep_content(content(), ANN)
    with pytest.raises(Refused, match="not approved"):
        queries.content_named("hello_all")
    with pytest.raises(BadInput, match="does not wait"):
        services.decide("hello_all", 1, BO, approve=True)
    for _ in range(2):
        services.submit("hello_all", 1, ANN)
    with pytest.raises(Refused):
        services.decide("hello_all", 1, ANN, approve=True)
    with pytest.raises(BadInput, match="why"):
        services.decide("hello_all", 1, BO, approve=False)
    services.decide("hello_all", 1, BO, approve=False, word="太长")
    assert queries.content("hello_all").word == "太长"
    services.submit("hello_all", 1, ANN)
    services.decide("hello_all", 1, BO, approve=True)
    with pytest.raises(BadInput, match="does not wait"):  # of two who decide, the first does
        services.decide("hello_all", 1, BO, approve=False, word="晚了")
    assert queries.content_named("hello_all").version == 1


def test_while_a_new_version_waits_the_last_approved_or_shipped_one_is_used(kept: None) -> None:
    ask_for_approval()
    assert queries.content("care_tip").standing is Standing.FREE
    services.keep_content(content("care_tip", text="新的一版"), ANN)
    facts = queries.content("care_tip")
    assert (facts.version, facts.standing, facts.usable) == (2, Standing.DRAFT, 1)
    assert {one.document.name: one.usable for one in queries.contents()}["care_tip"] == 1
    services.submit("care_tip", 2, ANN)
    services.decide("care_tip", 2, BO, approve=True)
    services.keep_content(content("care_tip", text="再新的一版"), ANN)
    assert queries.content_named("care_tip").document.text == "新的一版"
    with pytest.raises(BadInput, match="version 3"):
        services.submit("care_tip", 2, ANN)


# Plans that say a content -----------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_a_plan_says_the_version_of_its_launch_in_each_guides_own_words(stage: Stage) -> None:
    card = {"link": {"title": "换季护理", "url": "https://example.com/care"}}
    services.keep_content(content(**card), ANN)
    document = saying("spoken", "hello_all")
    assert reach.preview(stage.warehouse, document, OWNER).content_problem is None
    plan = reach.launch(document, OWNER)
    services.keep_content(content(text="改过了。"), ANN)
    stage.to(1)
    texts = {text for text, _ in stage.tasks()}
    names = {one.name for one in Staff.objects.all() if one.name}
    assert texts
    assert texts <= {f"您好，我是{name[:20]}。" for name in names} | {"您好，我是店员。"}
    assert plan_of(OWNER, plan).versions["content"] == 1
    assert {run.versions["content"] for run in Run.objects.filter(plan=plan)} == {1}
    assert Plan.objects.get(pk=plan).body["message"]["link"]["title"] == "换季护理"


@pytest.mark.django_db
def test_a_lost_answer_is_found_by_the_words_of_the_call_whatever_the_guide_is_called_by_now(stage: Stage) -> None:
    services.keep_content(content(link={"title": "换季护理", "url": "https://example.com/care"}), ANN)
    plan = reach.launch(saying("lost", "hello_all"), OWNER)
    stage.to(0)
    stage.faults({"api": CREATE, "kind": "drop_answer", "times": 100})
    stage.jump(OPENED)
    stage.turn()
    assert {one.state for one in stage.batches(plan)} == {BatchState.UNKNOWN}
    before = len(stage.tasks())
    for staff in Staff.objects.all():
        staff.name = "改名了"
        staff.save()
    stage.faults()
    stage.to(OPENED + 0.5)
    assert {one.state for one in stage.batches(plan)} == {BatchState.CLOSED}, "their guides have tapped"
    assert len(stage.tasks()) == before > 0, "found, and not asked for again"


@pytest.mark.django_db
def test_what_a_broadcast_cannot_carry_or_nobody_kept_is_told_and_nothing_is_launched(stage: Stage) -> None:
    services.keep_content(content("pictured", pictures=[{"url": "https://example.com/1.jpg"}]), ANN)
    with pytest.raises(BadInput, match="pictures"):
        reach.launch(saying("pictured", "pictured"), OWNER)
    with pytest.raises(NotFound):
        reach.preview(stage.warehouse, saying("nobody", "nobody_kept"), OWNER)
    with pytest.raises(BadInput, match="生日"):
        reach.launch(saying("odd", "hello_all", message={"text": "{生日|好}"}), OWNER)
    for message in ({}, {"content": "hello_all", "text": "也写"}):
        with pytest.raises(BadDocument):
            saying("odd", "hello_all", message=message)
    with pytest.raises(BadDocument, match="link cards"):
        saying(
            "short", "hello_all", channel="sms", message={"text": "", "link": {"title": "x", "url": "https://e.com"}}
        )
    assert not Plan.objects.exists()


@pytest.mark.django_db
def test_the_use_of_a_content_is_what_the_ledger_says_of_its_plans(stage: Stage) -> None:
    services.keep_content(content(), ANN)
    assert uses(stage.warehouse, OWNER) == {}
    plans = [reach.launch(saying(name, "hello_all", hold_out=0.2), OWNER) for name in ("one", "two")]
    stage.launch("plain")
    stage.to(2)
    found = uses(stage.warehouse, OWNER)
    assert list(found) == ["hello_all"]
    assert found["hello_all"].plans == tuple(reversed(plans))
    sent = sum(stage.counts(plan).sent for plan in plans)
    effect = effects_of(stage.warehouse, OWNER, "hello_all")
    assert (found["hello_all"].sent, effect.sent) == (sent, sent)
    assert [row.plan.id for row in effect.plans] == list(reversed(plans))
    assert effect.total is None, "sixty people in a few hours tell nothing"
    assert not effect.tells
    assert effects_of(stage.warehouse, STORE, "hello_all").plans == ()
    assert uses(stage.warehouse, STORE) == {}


def test_effects_of_plans_add_up_and_their_errors_in_squares() -> None:
    assert together([]) is None
    total = together([Interval(10, 7, 13), Interval(20, 16, 24)])
    assert total is not None
    assert (total.value, round(total.low, 6), round(total.high, 6)) == (30, 25, 35)
