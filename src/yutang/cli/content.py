"""The library: what there is to say, who approved it, what it brought; and the check of any text."""

from __future__ import annotations

from dataclasses import asdict

import click

from yutang.cli.context import Shell, command, table
from yutang.content import queries, services
from yutang.content.checking import check
from yutang.content.documents import Place
from yutang.organisation.contracts import Viewer
from yutang.reach.uses import effects_of, uses

Answer = tuple[object, list[object]]


@click.group("content")
def content_group() -> None:
    """内容库 / the library of what is said"""


GROUPS = (content_group,)


@command(content_group, "list")
def list_contents(shell: Shell, viewer: Viewer) -> Answer:
    """内容、版本、审核、用了几次 / contents with version, standing and use"""
    used = uses(shell.warehouse, viewer)
    data = [
        {
            "name": one.document.name,
            "title": one.document.title.text(shell.language),
            "version": one.version,
            "standing": one.standing,
            "usable": one.usable,
            "plans": len(used[one.document.name].plans) if one.document.name in used else 0,
            "sent": used[one.document.name].sent if one.document.name in used else 0,
        }
        for one in queries.contents()
    ]
    head = ("name", "title", "version", "standing", "usable", "plans", "sent")
    return data, [table(head, [[one[name] for name in head] for one in data])]


@command(content_group, "show")
@click.argument("name")
def show_content(shell: Shell, viewer: Viewer, name: str) -> Answer:
    """一个内容和它的效果 / a content, and what the plans that said it brought"""
    facts = queries.content(name)
    effect = effects_of(shell.warehouse, viewer, name)
    data = {
        "document": facts.document.as_data(),
        "version": facts.version,
        "standing": facts.standing,
        "plans": [{"plan": one.plan.id, "sent": one.sent} for one in effect.plans],
        "lift": asdict(effect.total) if effect.total else None,
    }
    told = (
        f"{effect.total.value:,.2f} ({effect.total.low:,.2f} … {effect.total.high:,.2f})"
        if effect.total
        else shell.said("还看不出", "cannot tell yet")
    )
    return data, [facts.document.as_yaml(), shell.said(f"多带来：{told}", f"brought more: {told}")]


@command(content_group, "check")
@click.argument("text")
@click.option("--place", type=click.Choice([one.value for one in Place]), default="chat", show_default=True,
              help="在哪里说 / where it is said")  # fmt: skip
def check_text(shell: Shell, viewer: Viewer, text: str, place: str) -> Answer:
    """这句话能不能说 / may this be said"""
    found = check(text, queries.content_rules(), Place(place))
    shell.failed = bool(found)
    data = [
        {"rule": one.rule, "words": one.words, "start": one.start, "end": one.end, "law": one.law.text(shell.language)}
        for one in found
    ]
    return data, [shell.said(*one.sentence()) for one in found] or [shell.said("可以说。", "It may be said.")]


@command(content_group, "submit")
@click.argument("name")
@click.argument("version", type=int)
def submit_content(shell: Shell, viewer: Viewer, name: str, version: int) -> Answer:
    """提交审核 / ask for approval of a version"""
    services.submit(name, version, viewer)
    return {"name": name, "version": version, "standing": "submitted"}, [f"{name} v{version}"]


@command(content_group, "approve")
@click.argument("name")
@click.argument("version", type=int)
def approve_content(shell: Shell, viewer: Viewer, name: str, version: int) -> Answer:
    """通过审核 / approve a version"""
    services.decide(name, version, viewer, approve=True)
    return {"name": name, "version": version, "standing": "approved"}, [f"{name} v{version}"]


@command(content_group, "send-back")
@click.argument("name")
@click.argument("version", type=int)
@click.argument("why")
def send_back(shell: Shell, viewer: Viewer, name: str, version: int, why: str) -> Answer:
    """退回，写明为什么 / send a version back with a word why"""
    services.decide(name, version, viewer, approve=False, word=why)
    return {"name": name, "version": version, "standing": "refused"}, [f"{name} v{version}"]
