"""组织: what a list would change is said before it is kept, and only headquarters keeps it."""

from __future__ import annotations

import httpx
import pytest

LIST = "门店编号,门店名称,大区,纬度,经度\nnew1,新店一,东区,31.2,121.5\nnew2,新店二,东区,,\n"


def send(client: httpx.Client, path: str, text: str | None = None, **data: str) -> httpx.Response:
    headers = {"Referer": str(client.base_url), "X-CSRFToken": client.cookies["csrftoken"]}
    files = {"list": ("stores.csv", text.encode())} if text is not None else None
    return client.post(f"/settings/organisation/{path}", data=data, files=files, headers=headers)


def test_a_list_is_tried_then_kept_and_its_stores_can_be_changed(owner: httpx.Client) -> None:
    assert "新增 2，更新 0" in send(owner, "list/read/", LIST, of="stores").text
    assert owner.get("/settings/organisation/of/new1/").status_code == 404, "it was only tried"
    assert "新增 2，更新 0" in send(owner, "list/read/", LIST, of="stores", keep="1").text
    assert "没有变化 2" in send(owner, "list/read/", LIST, of="stores").text
    assert "新店二" in owner.get("/settings/organisation/?region=东区&place=none").text
    assert "new1,新店一,东区" in owner.get("/settings/organisation/?find=new1&export=csv").text
    kept = send(owner, "keep/", store="new1", store_name="改名店", region="东区", zone="", latitude="", longitude="")
    assert "改名店" in kept.text
    staff = send(owner, "staff/", staff="xinlai", name="新来", store="new1", corp="manual ")
    assert "新来" in staff.text


@pytest.mark.parametrize(
    ("text", "says"),
    [("门店编号,纬度,经度\na,99,0\n", "不是坐标"), ("门店名称\n店\n", "缺少"), ("", "空的"), (None, "请选一个文件")],
)
def test_a_bad_list_is_said_in_one_sentence(owner: httpx.Client, text: str | None, says: str) -> None:
    assert says in send(owner, "list/read/", text, of="stores", keep="1").text


def test_a_stores_manager_looks_and_changes_nothing(keeper: httpx.Client) -> None:
    assert "导入名单" not in keeper.get("/settings/organisation/").text
    assert keeper.get("/settings/organisation/list/").status_code == 403
    assert send(keeper, "keep/", store="s1", store_name="x").status_code == 403
    assert send(keeper, "list/read/", LIST, of="stores", keep="1").status_code == 403


def test_a_department_is_said_to_be_a_store(owner: httpx.Client, keeper: httpx.Client) -> None:
    page = "/settings/organisation/departments/"
    assert "新门店" in owner.get(f"{page}?linked=no&find=新门").text
    corp = owner.get(f"{page}?export=csv").text.splitlines()[1].split(",")[0]
    assert (
        "没有编号为「nowhere」的门店或区域"
        in send(owner, "departments/link/", corp=corp, department="3", store="nowhere").text
    )
    assert "已保存" in send(owner, "departments/link/", corp=corp, department="3", store="s1").text
    assert f"{corp},3,总部/东区,新门店,s1" in owner.get(f"{page}?export=csv&linked=yes").text
    assert "已保存" in send(owner, "departments/link/", corp=corp, department="3", store="").text
    assert "请写部门编号" in send(owner, "departments/link/", corp=corp, department="x", store="s1").text
    assert "已保存" in send(owner, "departments/link/", corp=corp, department="1", grow="1").text
    assert 'value="1"' in owner.get(page).text
    assert "已保存" in send(owner, "departments/link/", corp=corp, department="", grow="1").text
    assert keeper.get(page).status_code == 403
