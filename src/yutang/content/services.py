"""Keeping contents, and having them approved by somebody else than who wrote them."""

from __future__ import annotations

from django.db import transaction

from yutang.content.checking import BrokenRules, Finding, check
from yutang.content.contracts import ContentFacts, Standing
from yutang.content.documents import Content, ContentRules
from yutang.content.models import Approval
from yutang.content.queries import approval_asked, check_files, content, content_rules
from yutang.content.rendering import render
from yutang.documents import queries as documents
from yutang.documents.contracts import StoredDocument
from yutang.documents.services import save_document
from yutang.files.contracts import FileFacts, FileKind
from yutang.files.services import keep_file
from yutang.kernel.clock import wall_now
from yutang.kernel.errors import BadInput, Refused
from yutang.organisation import services as organisation
from yutang.organisation.contracts import Viewer


def keep_content(document: Content, viewer: Viewer, base: int | None = None) -> StoredDocument:
    """Keep the next version, written from version `base` (0: a new one). Raises Refused, BadInput and BrokenRules.

    The check comes first: what may not be said is not even kept.
    """
    _may_write(viewer)
    check_files(document)
    problems = findings(document, content_rules())
    if problems:
        raise BrokenRules([one for found in problems.values() for one in found])
    if base == 0 and documents.versions(Content, document.name):
        raise BadInput(
            f"代号 {document.name} 已被使用，请换一个。", f"The name {document.name} is taken; choose another one."
        )
    stored = save_document(document, viewer.name, base=base)
    organisation.audit(viewer, "keep", f"content {document.name}", version=stored.version)
    return stored


def keep_upload(kind: FileKind, name: str, content: bytes, viewer: Viewer) -> FileFacts:
    """Keep a file that a content is to name. Not inside a transaction. Raises Refused and BadInput."""
    _may_write(viewer)
    kept = keep_file(kind, name, content)
    organisation.audit(viewer, "upload", f"file {kept.digest[:12]}", name=kept.name, bytes=kept.size)
    return kept


def findings(document: Content, rules: ContentRules | None) -> dict[str, list[Finding]]:
    """What may not be said in a content, by field; places are those of the text as it is written."""
    linked = document.link is not None or document.mini_program is not None
    found = {
        field: check(text, rules, document.place, linked=linked) or check(render(text, {}), rules, document.place)
        for field, text in document.said().items()
    }
    return {field: ones for field, ones in found.items() if ones}


def submit(name: str, version: int, viewer: Viewer) -> None:
    """Ask for approval of a version; again is no error. Raises Refused, BadInput for one that is not the newest."""
    _may_write(viewer)
    facts = _newest(name, version)
    if not approval_asked() or facts.standing is Standing.FREE:
        raise BadInput("这个品牌不要求审核，可以直接使用。", "No approval is asked for; it can be used as it is.")
    with transaction.atomic():
        row, made = Approval.objects.get_or_create(name=name, version=version, defaults={"asked_by": viewer.name})
        again = Approval.objects.filter(pk=row.pk, state=Standing.REFUSED.value)
        if made or again.update(state=Standing.SUBMITTED.value, asked_by=viewer.name, asked_at=wall_now(), word=""):
            organisation.audit(viewer, "submit", f"content {name}", version=version)


def decide(name: str, version: int, viewer: Viewer, *, approve: bool, word: str = "") -> None:
    """Approve a submitted version, or send it back with a word why. Never by its author, nor by who submitted it.

    Of two who decide at once, the first does; the other gets BadInput.
    """
    _may_write(viewer)
    facts = _newest(name, version)
    if viewer.name in (facts.author, facts.asked_by):
        raise Refused(
            "自己写的或自己提交的内容要由别人审核。", "What you wrote or submitted is approved by somebody else."
        )
    if not approve and not word.strip():
        raise BadInput("退回时请写一句为什么。", "Say why you send it back.")
    state = Standing.APPROVED if approve else Standing.REFUSED
    changed = Approval.objects.filter(name=name, version=version, state=Standing.SUBMITTED.value).update(
        state=state.value, decided_by=viewer.name, decided_at=wall_now(), word=word.strip()[:400]
    )
    if not changed:
        raise BadInput(
            f"第 {version} 版没有在等审核，请刷新页面看看。",
            f"Version {version} does not wait for approval; look at the page again.",
        )
    organisation.audit(viewer, "approve" if approve else "send_back", f"content {name}", version=version)


def _newest(name: str, version: int) -> ContentFacts:
    facts = content(name)
    if facts.version != version:
        raise BadInput(
            f"「{name}」已有第 {facts.version} 版，请看新的一版。",
            f"“{name}” has become version {facts.version}; look at that one.",
        )
    return facts


def _may_write(viewer: Viewer) -> None:
    if not (viewer.may_operate and viewer.sees_all):
        raise Refused("内容库对整个品牌生效，请找总部运营。", "The library binds the whole brand; ask headquarters.")
