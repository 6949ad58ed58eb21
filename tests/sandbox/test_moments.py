"""Moments: asked for by a job, published by members, shown to customers, liked by some."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.sandbox.conftest import DAY, HOUR, START, Client, small_world
from yutang.sandbox.contracts import Customer, Department, Member, Relation

TEXT = {"content": "春装到店"}
NOW = int(START.timestamp())
POSTS = (
    "cancel_moment_task",
    "get_moment_task",
    "get_moment_customer_list",
    "get_moment_send_result",
    "get_moment_comments",
)


def ask(client: Client, **body: object) -> str:
    """Ask for a moment and wait for its job; returns the moment's id."""
    jobid = client.post("add_moment_task", **{"text": TEXT, **body})["jobid"]
    done = client.get("externalcontact/get_moment_task_result", jobid=jobid)
    assert (done["status"], done["type"], done["result"]["errcode"]) == (3, "add_moment_task", 0)
    return str(done["result"]["moment_id"])


def seen(client: Client, moment: str, userid: str = "a") -> list[str]:
    rows = client.post("get_moment_send_result", moment_id=moment, userid=userid)["customer_list"]
    return [row["external_userid"] for row in rows]


@pytest.mark.wecom(
    "externalcontact/add_moment_task",
    "externalcontact/get_moment_task_result",
    "externalcontact/get_moment_task",
    "externalcontact/get_moment_list",
    "externalcontact/get_moment_customer_list",
    "externalcontact/get_moment_send_result",
)
def test_a_moment_is_published_by_each_member_in_their_own_time(sandbox: Client) -> None:
    picture = sandbox.attachment(1)
    moment = ask(sandbox, attachments=[{"msgtype": "image", "image": {"media_id": picture}}])
    tasks = sandbox.post("get_moment_task", moment_id=moment)["task_list"]
    assert tasks == [{"userid": userid, "publish_status": 0} for userid in ("a", "b", "idle")]
    for call in ("get_moment_customer_list", "get_moment_send_result", "get_moment_comments"):
        assert sandbox.post(call, moment_id=moment, userid="a")["errcode"] == 41062
    moved = sandbox.advance(START + HOUR)
    assert (moved["moments"], moved["shown"], moved["taps"]) == (3, 5, 0)
    assert [row["publish_status"] for row in sandbox.post("get_moment_task", moment_id=moment)["task_list"]] == [1] * 3
    assert seen(sandbox, moment) == ["wmc0", "wmc1", "wmc2", "wmc3"]
    planned = sandbox.post("get_moment_customer_list", moment_id=moment, userid="B")["customer_list"]
    assert planned == [{"userid": "b", "external_userid": "wmc2"}]
    (told,) = sandbox.post("get_moment_list", start_time=NOW, end_time=NOW)["moment_list"]
    assert told == {
        "moment_id": moment,
        "create_time": NOW,
        "create_type": 0,
        "visible_type": 1,
        "text": TEXT,
        "image": [{"media_id": picture}],
    }


def test_a_job_runs_by_the_wall_clock_and_its_moment_is_dispatched_after_it(
    open_sandbox: Callable[..., Client], wall: Callable[[float], None]
) -> None:
    wall(0)
    slow = open_sandbox(small_world(dispatch_seconds=600.0, token_seconds=10**6))
    jobid = slow.post("add_moment_task", text=TEXT)["jobid"]

    def result() -> dict[str, object]:
        return slow.get("externalcontact/get_moment_task_result", jobid=jobid)

    def listed() -> list[object]:
        return slow.post("get_moment_list", start_time=NOW, end_time=NOW)["moment_list"]  # type: ignore[no-any-return]

    assert (result()["status"], "result" in result(), listed()) == (1, False, [])
    codes = [slow.post("add_moment_task", text=TEXT)["errcode"] for _ in range(5)]
    assert codes == [0, 0, 0, 0, 41078]
    wall(200)
    assert (result()["status"], listed()) == (2, [])
    wall(320)
    assert (result()["status"], len(listed())) == (3, 5)
    moment = result()["result"]["moment_id"]  # type: ignore[index]
    assert slow.post("get_moment_task", moment_id=moment)["errcode"] == 41079
    assert slow.post("cancel_moment_task", moment_id=moment)["errcode"] == 41079
    wall(601)
    assert slow.post("get_moment_task", moment_id=moment)["errcode"] == 0
    wall(86_300)
    assert result()["status"] == 3
    wall(86_500)
    assert result()["errcode"] == 40058


def test_calls_name_the_argument_that_is_missing_or_wrong(sandbox: Client) -> None:
    assert sandbox.get("externalcontact/get_moment_task_result", jobid="nothing")["errcode"] == 40058
    assert sandbox.get("externalcontact/get_moment_task_result")["errcode"] == 40058
    moment = ask(sandbox, visible_range={"sender_list": {"user_list": ["a"]}})
    for call in POSTS:
        assert sandbox.post(call)["errcode"] == 41059
        assert sandbox.post(call, moment_id="mom-unknown", userid="a")["errcode"] == 41060
    for call in POSTS[2:]:
        assert sandbox.post(call, moment_id=moment)["errcode"] == 41009
        assert sandbox.post(call, moment_id=moment, userid="nobody")["errcode"] == 40003
        assert sandbox.post(call, moment_id=moment, userid="b")["errcode"] == 41061


def test_what_a_moment_may_hold(open_sandbox: Callable[..., Client]) -> None:
    client = open_sandbox(small_world(moments_per_minute=1000))
    picture, film = client.attachment(1), client.attachment(1, "video")
    image = {"msgtype": "image", "image": {"media_id": picture}}
    video = {"msgtype": "video", "video": {"media_id": film}}
    link = {"msgtype": "link", "link": {"title": "新品", "url": "https://example.com", "media_id": picture}}

    def code(**body: object) -> int:
        return client.post("add_moment_task", **body)["errcode"]  # type: ignore[no-any-return]

    assert code() == 41089
    assert code(text={}) == 40063
    assert code(text={"content": "好" * 1333}) == 0
    assert code(text={"content": "好" * 1334}) == 40058
    assert code(text={"content": "a" * 2001}) == 40058
    assert code(attachments=[image] * 9) == 0
    assert code(attachments=[image] * 10) == 41064
    assert code(attachments=[video]) == code(attachments=[link]) == 0
    assert code(attachments=[video, video]) == code(attachments=[link, link]) == 41064
    assert code(attachments=[image, link]) == 41065
    assert code(attachments=[{"msgtype": "file", "file": {"media_id": picture}}]) == 41065
    assert code(attachments=["image"]) == 41065
    assert code(attachments=[{"msgtype": "image"}]) == 40063
    assert code(attachments=[{"msgtype": "link", "link": {"title": "t", "media_id": picture}}]) == 40063
    assert code(attachments=[{**link, "link": {**link["link"], "title": "题" * 65}}]) == 40058  # type: ignore[dict-item]
    assert code(attachments=[{"msgtype": "image", "image": {"media_id": "no upload"}}]) == 40007
    assert code(attachments=[{"msgtype": "image", "image": {"media_id": film}}]) == 40007
    assert code(attachments=[{"msgtype": "image", "image": {"media_id": client.attachment(2)}}]) == 41072
    assert code(text=TEXT, visible_range={}) == 40063
    assert code(text=TEXT, visible_range={"sender_list": {"user_list": ["a"] * 100_001}}) == 40058


def test_who_is_not_there_is_left_out_and_named(sandbox: Client) -> None:
    body = {"sender_list": {"user_list": ["A", "nobody"], "department_list": [404]}}
    jobid = sandbox.post("add_moment_task", text=TEXT, visible_range=body)["jobid"]
    result = sandbox.get("externalcontact/get_moment_task_result", jobid=jobid)["result"]
    assert result["invalid_sender_list"] == {"user_list": ["nobody"], "department_list": [404]}
    told = sandbox.post("get_moment_task", moment_id=result["moment_id"])["task_list"]
    assert [row["userid"] for row in told] == ["a"]
    lost = sandbox.post("add_moment_task", text=TEXT, visible_range={"sender_list": {"user_list": ["nobody"]}})
    result = sandbox.get("externalcontact/get_moment_task_result", jobid=lost["jobid"])["result"]
    assert (result["errcode"], "moment_id" in result) == (81013, False)


def test_a_department_is_asked_with_all_below_it_and_whoever_left_is_not(open_sandbox: Callable[..., Client]) -> None:
    members = (
        Member("a", "导购 01", departments=(3,)),
        Member("b", "导购 02", departments=(2,)),
        Member("idle", "导购 03", departments=(2,), status=5),
        Member("c", "导购 04"),
    )
    client = open_sandbox(
        small_world(members=members, departments=(Department(2, "华东"), Department(3, "上海", parentid=2)))
    )
    moment = ask(client, visible_range={"sender_list": {"user_list": ["c"], "department_list": [2]}})
    told = client.post("get_moment_task", moment_id=moment)["task_list"]
    assert [row["userid"] for row in told] == ["a", "b", "c"]


def test_a_moment_for_tags_goes_to_those_who_know_one_and_is_seen_by_them_alone(sandbox: Client) -> None:
    tag = sandbox.post("add_corp_tag", group_name="等级", tag=[{"name": "高"}])["tag_group"]["tag"][0]["id"]
    sandbox.post("mark_tag", userid="a", external_userid="wmc1", add_tag=[tag])
    tags = {"external_contact_list": {"tag_list": [tag, "et-unknown"]}}
    jobid = sandbox.post("add_moment_task", text=TEXT, visible_range=tags)["jobid"]
    result = sandbox.get("externalcontact/get_moment_task_result", jobid=jobid)["result"]
    assert result["invalid_external_contact_list"] == {"tag_list": ["et-unknown"]}
    moment = result["moment_id"]
    told = sandbox.post("get_moment_task", moment_id=moment)["task_list"]
    assert [row["userid"] for row in told] == ["a"]
    sandbox.control("moment", moment_id=moment, userid="a", do="publish")
    assert seen(sandbox, moment) == ["wmc1"]
    (listed,) = sandbox.post("get_moment_list", start_time=NOW, end_time=NOW)["moment_list"]
    assert listed["visible_type"] == 0


def test_whom_the_app_does_not_see_is_not_asked(sandbox: Client) -> None:
    sandbox.control("apps", apps=[{"agentid": 1000002, "members": ["A"]}])
    told = sandbox.post("get_moment_task", moment_id=ask(sandbox))["task_list"]
    assert [row["userid"] for row in told] == ["a"]
    named = {"sender_list": {"user_list": ["a", "b"]}}
    jobid = sandbox.post("add_moment_task", text=TEXT, visible_range=named)["jobid"]
    result = sandbox.get("externalcontact/get_moment_task_result", jobid=jobid)["result"]
    assert result["invalid_sender_list"] == {"user_list": ["b"]}


def test_ten_a_minute_and_no_more(sandbox: Client) -> None:
    codes = [sandbox.post("add_moment_task", text=TEXT)["errcode"] for _ in range(12)]
    assert codes == [0] * 10 + [45009] * 2


@pytest.mark.wecom("externalcontact/cancel_moment_task", "externalcontact/get_moment_comments")
def test_cancelling_stops_who_has_not_published(sandbox: Client) -> None:
    moment = ask(sandbox)
    sandbox.control("moment", moment_id=moment, userid="b", do="publish")
    assert sandbox.post("cancel_moment_task", moment_id=moment)["errcode"] == 0
    assert sandbox.post("cancel_moment_task", moment_id=moment)["errcode"] == 0
    assert sandbox.advance(START + 10 * DAY)["moments"] == 0
    told = {
        row["userid"]: row["publish_status"] for row in sandbox.post("get_moment_task", moment_id=moment)["task_list"]
    }
    assert told == {"a": 0, "b": 1, "idle": 0}
    assert sandbox.post("get_moment_comments", moment_id=moment, userid="b")["errcode"] == 0


def test_a_customer_is_shown_so_many_a_month_and_the_rest_not(open_sandbox: Callable[..., Client]) -> None:
    client = open_sandbox(small_world(moments_per_month=2))
    moments = []
    for _ in range(3):
        moments.append(ask(client, visible_range={"sender_list": {"user_list": ["a"]}}))
        client.control("moment", moment_id=moments[-1], userid="a", do="publish")
    own = client.control("moment", userid="a", text="我自己发的")["moment_id"]
    assert [len(seen(client, one)) for one in (*moments, own)] == [4, 4, 0, 4]
    planned = client.post("get_moment_customer_list", moment_id=moments[2], userid="a")["customer_list"]
    assert len(planned) == 4
    client.advance(START + 31 * DAY)
    fresh = ask(client)
    client.control("moment", moment_id=fresh, userid="a", do="publish")
    assert len(seen(client, fresh)) == 4


def test_a_members_own_moments_are_told_apart(open_sandbox: Callable[..., Client]) -> None:
    client = open_sandbox(small_world(members=(Member("a", "导购 01", moments_per_day=3.0), Member("b", "导购 02"))))
    moved = client.advance(START + 2 * DAY)
    assert moved["moments"] > 1
    asked = ask(client)
    window = {"start_time": NOW, "end_time": NOW + 3 * 86_400}
    found, cursor = [], ""
    while True:
        answer = client.post("get_moment_list", **window, limit=1, cursor=cursor)
        found += answer["moment_list"]
        cursor = answer["next_cursor"]
        if not cursor:
            break
    own = [row for row in found if row["create_type"] == 1]
    assert len(own) == moved["moments"] == len(found) - 1
    assert {row["creator"] for row in own} == {"a"}
    listed = {kind: client.post("get_moment_list", **window, filter_type=kind)["moment_list"] for kind in (0, 1)}
    assert [row["moment_id"] for row in listed[0]] == [asked]
    assert listed[1] == own
    assert client.post("get_moment_list", **window, creator="b")["moment_list"] == []
    assert client.post("get_moment_task", moment_id=own[0]["moment_id"])["errcode"] == 41067
    assert client.post("cancel_moment_task", moment_id=own[0]["moment_id"])["errcode"] == 41067
    client.control("moment", moment_id=own[0]["moment_id"], userid="a", do="delete")
    assert own[0]["moment_id"] not in str(client.post("get_moment_list", **window, filter_type=1))
    assert client.post("get_moment_list", start_time=NOW, end_time=NOW + 31 * 86_400)["errcode"] == 40058
    assert client.post("get_moment_list", **window, filter_type=3)["errcode"] == 40058


def test_customers_like_and_comment_when_their_time_has_come(open_sandbox: Callable[..., Client]) -> None:
    crowd = tuple(Customer(f"wm{number}", f"顾客 {number}") for number in range(300))
    friends = tuple(Relation("a", one.external_userid, START - DAY) for one in crowd)
    client = open_sandbox(small_world(customers=crowd, relations=friends))
    moment = ask(client)
    client.control("moment", moment_id=moment, userid="a", do="publish")
    before = client.post("get_moment_comments", moment_id=moment, userid="a")
    assert (before["like_list"], before["comment_list"]) == ([], [])
    client.control("moment", moment_id=moment, userid="a", do="like", external_userid="wm7")
    client.advance(START + 5 * DAY)
    after = client.post("get_moment_comments", moment_id=moment, userid="a")
    assert {"external_userid": "wm7", "create_time": NOW} in after["like_list"]
    assert 8 <= len(after["like_list"]) <= 35
    commented = [row["external_userid"] for row in after["comment_list"] if "external_userid" in row]
    assert 0 < len(commented) <= 15
    assert {row["userid"] for row in after["comment_list"] if "userid" in row} <= {"a"}
    assert all(
        set(row) in ({"external_userid", "create_time"}, {"userid", "create_time"}) for row in after["comment_list"]
    )
