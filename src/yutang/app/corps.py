"""The corps of this house, wired: their clients, and their places in our sandbox; and `yutang corps`."""

from __future__ import annotations

import os

import click
import httpx

from yutang.app.channels import Channels
from yutang.channels.queries import last_callback
from yutang.channels.wecom.checking import State
from yutang.cli.context import Shell, command, table
from yutang.kernel.clock import business_now
from yutang.kernel.errors import Unavailable
from yutang.kernel.ids import salt
from yutang.kernel.trust import trusted
from yutang.operations.corps import WECOM, Corps
from yutang.organisation.contracts import CorpFacts, Viewer
from yutang.organisation.queries import accounts, brand, callback_secrets

Answer = tuple[object, list[object]]
ELSEWHERE = "YUTANG_SANDBOX_URL"
USUAL = "http://127.0.0.1:8000"  # where `yutang up` answers unless it is told otherwise
MARKS = {State.GOOD: "✓", State.BAD: "✗", State.MISSING: "·", State.SKIPPED: " "}

_here: tuple[Channels, str] | None = None


def install_here(channels: Channels, address: str) -> None:
    """Let pages of this process speak through these channels; the house answers at `address`, also to its sandbox."""
    global _here
    _here = (channels, address)


def here() -> Channels:
    """The channels by which this process speaks."""
    return _here[0] if _here is not None else _elsewhere("")


def _elsewhere(sandbox: str) -> Channels:
    return Channels(sandbox or os.environ.get(ELSEWHERE) or f"{USUAL}/sandbox", shared=True)


def desk(sandbox: str = "") -> Corps:
    """What is done with corps, through this process's channels; in a process without any, with the sandbox at that
    address, at `YUTANG_SANDBOX_URL`, or where `yutang up` has it."""
    if _here is not None and not sandbox:
        channels, address = _here
    else:
        channels, address = _elsewhere(sandbox), USUAL
    return Corps(channels.client, lambda corp: open_sandbox(channels.sandbox, address, corp))


def open_sandbox(sandbox: str, address: str, corp: CorpFacts) -> None:
    """Give a corp a world of its own in the sandbox, with its members and no customers, unless it has one; let it have
    the secret that the corp has now, and call us back. Raises Unavailable."""
    with httpx.Client(
        base_url=sandbox, params={"corp": corp.corp}, timeout=10, trust_env=False, verify=trusted()
    ) as http:
        try:
            there = http.get("/control/state")
            if there.status_code == 404:
                http.post("/control/seed", json=_world(corp)).raise_for_status()
            else:
                app = {"agentid": 1000002, "secret": corp.secret}
                http.post("/control/apps", json={"apps": [app]}).raise_for_status()
            tell_of_callbacks(http, address, corp)
        except httpx.HTTPError as error:
            raise Unavailable(
                f"沙盒没有应答（{type(error).__name__}），设置已保存；下次启动会再告诉它。",
                f"The sandbox does not answer ({type(error).__name__}). What was set is kept; the next start tells it.",
            ) from error


def stand_ready(sandbox: str, address: str, corp: CorpFacts) -> None:
    """At a start: what `open_sandbox` does; of a sandbox that nobody has seeded yet, only to let it call us back."""
    seeded = httpx.get(f"{sandbox}/control/state", timeout=10, trust_env=False, verify=trusted()).status_code == 200
    if seeded:
        open_sandbox(sandbox, address, corp)
        return
    with httpx.Client(base_url=sandbox, timeout=10, trust_env=False, verify=trusted()) as http:
        tell_of_callbacks(http, address, corp)


def tell_of_callbacks(http: httpx.Client, address: str, corp: CorpFacts) -> None:
    """Let the sandbox call us back for a corp, as the admin console lets the platform."""
    kept = callback_secrets(WECOM, corp.corp)
    if kept is not None:
        body = {"url": f"{address}/wecom/callback/{corp.corp}", "token": kept.token, "key": kept.key}
        http.post("/control/callbacks", params={"corp": corp.corp}, json=body).raise_for_status()


def _world(corp: CorpFacts) -> dict[str, object]:
    """Members are called by their userids: what people are called does not leave our own store."""
    return {
        "corp_id": corp.corp,
        "secret": corp.secret,
        "seed": salt("sandbox", corp.corp) % 10**6,
        "start_at": business_now().isoformat(),
        "zone": brand().zone,
        "currency": brand().currency,
        "members": [{"userid": one.userid, "name": one.userid} for one in accounts(WECOM, corp.corp)],
    }


@click.group("corps")
def corps_group() -> None:
    """企业微信的连接 / how corps are connected"""


@command(corps_group, "list")
def list_corps(shell: Shell, viewer: Viewer) -> Answer:
    """连接了哪些企业 / the corps that are connected"""
    found = [
        {
            "corp": corp.corp,
            "real": not corp.sandboxed,
            "members": len(accounts(WECOM, corp.corp)),
            "agent": corp.agent,
            "last_callback": last_callback(corp.corp),
        }
        for corp in desk().all(viewer)
    ]
    real, sandbox = shell.said("真实接口", "real"), shell.said("沙盒", "sandbox")
    rows = [
        (
            one["corp"],
            real if one["real"] else sandbox,
            one["members"],
            str(one["agent"] or shell.said("未填", "missing")),
            one["last_callback"] or "-",
        )
        for one in found
    ]
    return found, [table(("corp", "where", "members", "agent", "last callback"), rows)]


@command(corps_group, "agent")
@click.argument("corp")
@click.argument("agent", required=False, default="")
def name_agent(shell: Shell, viewer: Viewer, corp: str, agent: str) -> Answer:
    """填写应用的 AgentId（不写：清空），催办和导购页面要用 / say the app's AgentId; without it: forget it"""
    desk().name_agent(viewer, corp, agent)
    return {"corp": corp, "agent": agent}, [shell.said("已保存", "kept")]


@command(corps_group, "test")
@click.argument("corp", required=False)
@click.option("--sandbox", default="", help="沙盒的地址 / where the sandbox answers, unless as `yutang up` has it")
def test_corps(shell: Shell, viewer: Viewer, corp: str | None, sandbox: str) -> Answer:
    """逐步测试连接，不通时以 1 结束 / test connections in steps, each with its remedy; ends with 1 if one fails"""
    corps = desk(sandbox)
    wanted = [corps.named(viewer, corp)] if corp else corps.all(viewer)
    told = {one.corp: corps.check(viewer, one.corp) for one in wanted}
    shell.failed = not all(step.fine for steps in told.values() for step in steps)
    lines: list[object] = []
    for name, steps in told.items():
        lines.append(name)
        lines += [
            f"  {MARKS[step.state]} {shell.said(step.zh, step.en)}: {shell.said(step.said_zh, step.said_en)}"
            for step in steps
        ]
    return told, lines
