"""Broadcasts that were written and not launched. They are documents; a plan begins with its launch."""

from __future__ import annotations

from yutang.documents import queries as documents
from yutang.documents import services as keeping
from yutang.documents.contracts import StoredDocument
from yutang.kernel.errors import BadInput, NotFound, Refused
from yutang.organisation.contracts import Viewer
from yutang.reach.documents import BroadcastDocument
from yutang.reach.models import Plan


def drafts(viewer: Viewer) -> list[StoredDocument]:
    """Every draft by name: all of them for whoever sees the whole brand, else one's own."""
    launched = set(Plan.objects.values_list("name", flat=True).distinct())
    return [
        stored
        for stored in documents.current(BroadcastDocument)
        if not stored.shipped and stored.document.name not in launched and _reads(viewer, stored)
    ]


def draft(viewer: Viewer, name: str) -> StoredDocument:
    """One draft. Raises NotFound, and Refused for one that was launched since."""
    stored = documents.find(BroadcastDocument, name)
    if stored.shipped or not _reads(viewer, stored):
        raise NotFound(f"没有名为「{name[:60]}」的草稿。", f"There is no draft “{name[:60]}”.")
    _not_launched(name)
    return stored


def keep_draft(document: BroadcastDocument, viewer: Viewer, base: int) -> StoredDocument:
    """Keep the next version of a draft that was begun from version `base` (0: a new one).

    Raises BadInput where somebody kept another version meanwhile or the name is taken, Refused for a role that may not,
    and where it was launched: what a plan was measured by does not change under it.
    """
    if not viewer.may_operate:
        raise Refused("你的角色不能写计划，请找总部运营。", "Your role may not write plans; ask headquarters.")
    before = documents.versions(BroadcastDocument, document.name)
    theirs = bool(before) and not _reads(viewer, before[0])  # of what somebody else launched nothing is told
    if not theirs:
        _not_launched(document.name)
    if theirs or (before and (before[0].shipped or not base)):
        raise BadInput(
            f"代号 {document.name} 已被使用，请在文档的 name 里换一个。",
            f"The name {document.name} is taken; write another one as the document's `name`.",
        )
    return keeping.save_document(document, viewer.name, base=base)


def free_name(wanted: str) -> str:
    """The name itself, or with the first number behind it that no broadcast and no plan has."""
    taken = set(Plan.objects.filter(name__startswith=wanted).values_list("name", flat=True))
    number = 1
    while (name := wanted if number == 1 else f"{wanted}_{number}") in taken or documents.versions(
        BroadcastDocument, name
    ):
        number += 1
    return name


def _reads(viewer: Viewer, stored: StoredDocument) -> bool:
    return viewer.sees_all or stored.author == viewer.name


def _not_launched(name: str) -> None:
    plan = Plan.objects.filter(name=name).order_by("-pk").first()
    if plan is not None:
        raise Refused(
            f"「{name}」已经下发（计划编号 {plan.pk}），文档只读：名单、对照组和观察天数在下发那一刻定下，"
            "之后再改就没法比了。要改，请在那个计划的页面上另做一份。",
            f"“{name}” was launched (plan {plan.pk}), so its document is read-only: its people, its hold-out and its "
            "window were settled at that moment, or nothing could be compared. Make a copy on that plan's page.",
        )
