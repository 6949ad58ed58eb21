"""The library. Contents hold no rows of customers, so every viewer may read them."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

from yutang.content.contracts import ContentFacts, Standing, Usable
from yutang.content.documents import Content, ContentRules, Said
from yutang.content.models import Approval
from yutang.documents import queries as documents
from yutang.documents.contracts import StoredDocument
from yutang.files.contracts import digest_in
from yutang.files.queries import known_files
from yutang.kernel.errors import BadInput, NotFound, Refused

RULES = "default"


def content_rules() -> ContentRules | None:
    """The brand's rules; None for a brand without."""
    with suppress(NotFound):
        return documents.document_named(ContentRules, RULES)
    return None


def approval_asked() -> bool:
    """Whether a content is used only once somebody else has approved it."""
    rules = content_rules()
    return rules is not None and rules.approval


def contents() -> list[ContentFacts]:
    """The newest version of every content, by name, with the newest that may be used."""
    asked = approval_asked()
    rows = {(row.name, row.version): row for row in Approval.objects.all()}
    usable: dict[str, int] = {}
    for (name, version), row in rows.items():
        if row.state == Standing.APPROVED:
            usable[name] = max(version, usable.get(name, 0))
    found = []
    for stored in documents.current(Content):
        name = stored.document.name
        facts = _facts(stored, rows.get((name, stored.version)), asked=asked)
        newest = stored.version if facts.standing.usable else usable.get(name) or _newest_shipped(name)
        found.append(replace(facts, usable=newest))
    return found


def content(name: str) -> ContentFacts:
    """The newest version of one content. Raises NotFound."""
    stored = documents.find(Content, name)
    asked = approval_asked()
    row = Approval.objects.filter(name=name, version=stored.version).first()
    facts = _facts(stored, row, asked=asked)
    usable = stored.version if facts.standing.usable else _newest_approved(name) or _newest_shipped(name)
    return replace(facts, usable=usable)


def standings(name: str) -> dict[int, Standing]:
    """Where each version stands of which somebody asked for approval."""
    return {row.version: Standing(row.state) for row in Approval.objects.filter(name=name)}


def content_named(name: str, version: int | None = None) -> Usable:
    """The content as it may be used: its newest usable version, or the one asked for as it was.

    Raises NotFound, and Refused for one of which nothing is approved yet.
    """
    if version is not None:
        return Usable(documents.document_named(Content, name, version), version)
    facts = content(name)
    if facts.usable is None:
        raise Refused(
            f"内容「{facts.document.title.zh}」还没有通过审核，不能使用。",
            f"The content “{facts.document.title.en}” is not approved yet, so it cannot be used.",
        )
    if facts.usable == facts.version:
        return Usable(facts.document, facts.version)
    return Usable(documents.document_named(Content, name, facts.usable), facts.usable)


def check_files(said: Said) -> None:
    """Raise BadInput for a file that is not kept, or is not of the kind that its place wants."""
    named = {field: (kind, digest_in(address)) for field, (kind, address) in said.sources().items()}
    wanted = {field: (kind, digest) for field, (kind, digest) in named.items() if digest}
    known = known_files(digest for _kind, digest in wanted.values()) if wanted else {}
    for field, (kind, digest) in wanted.items():
        if digest not in known:
            raise BadInput(
                f"{field} 的文件不在内容库里，请重新上传。",
                f"The file of {field} is not in the library; upload it again.",
            )
        if known[digest].kind is not kind:
            raise BadInput(
                f"{field} 的文件不是这里要的那种（{kind}），请换一个。",
                f"The file of {field} is not of the kind that is wanted there ({kind}); choose another.",
            )


def _newest_approved(name: str) -> int | None:
    rows = Approval.objects.filter(name=name, state=Standing.APPROVED.value).order_by("-version")
    found = rows.values_list("version", flat=True).first()
    return None if found is None else int(found)


def _newest_shipped(name: str) -> int | None:
    """What came with the program may be used: also after somebody wrote a version that is not approved yet."""
    return next((stored.version for stored in documents.versions(Content, name) if stored.shipped), None)


def _facts(stored: StoredDocument, row: Approval | None, *, asked: bool) -> ContentFacts:
    assert isinstance(stored.document, Content)
    free = stored.shipped or not asked
    standing = Standing.FREE if free else Standing(row.state) if row is not None else Standing.DRAFT
    return ContentFacts(
        stored.document,
        stored.version,
        stored.author,
        stored.created_at,
        stored.shipped,
        standing,
        row.asked_by if row else "",
        row.decided_by if row else "",
        row.word if row else "",
    )
