"""Keeping segments, and recording who entered and who left them."""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import UTC, datetime

import pyarrow as pa

from yutang.documents import queries as documents
from yutang.documents.contracts import StoredDocument
from yutang.documents.services import save_document
from yutang.kernel.documents import NAME, Title
from yutang.kernel.errors import BadInput, NotFound, Refused
from yutang.kernel.ids import RunId
from yutang.organisation.contracts import Viewer
from yutang.organisation.queries import brand, nodes
from yutang.profiles import registry
from yutang.profiles.contracts import Moment
from yutang.segments.compile import compile_memberships, compile_segment
from yutang.segments.contracts import Changes, Context, Nodes, unfitted
from yutang.segments.documents import Record, RecordedRule, SegmentDocument, leaves, traits_in
from yutang.segments.queries import context, segment_named, segments
from yutang.warehouse.contracts import Statement, Warehouse, named

_ANY_INSTANT = datetime(2000, 1, 1, tzinfo=UTC)


def check(document: SegmentDocument) -> None:
    """Raise BadInput if the document names a store, region or segment that does not exist, or closes a cycle."""
    any_instant = Moment(_ANY_INSTANT, brand().zone)
    compile_segment(document, Context(any_instant, Nodes(nodes), segment_named, unfitted))
    for leaf in leaves(document.where):
        if isinstance(leaf, RecordedRule) and leaf.recorded.segment != document.name:
            try:
                segment_named(leaf.recorded.segment)
            except NotFound as error:
                raise BadInput(error.zh, error.en) from None


def save(
    document: SegmentDocument, viewer: Viewer, *, shipped: bool = False, base: int | None = None
) -> StoredDocument:
    """Keep the document as the next version of its name, written from version `base` if that is given. Raises BadInput
    (see `check`; also where `base` is no longer the last version) and Refused."""
    if not viewer.may_operate:
        raise Refused("您的角色不能修改分群。", "Your role may not change segments.")
    check(document)
    return save_document(document, viewer.name, shipped=shipped, base=base)


def freeze(warehouse: Warehouse, name: str, as_name: str, viewer: Viewer) -> StoredDocument:
    """Keep who is in a segment now as a segment of its own, which nobody enters or leaves: they are recorded under its
    name. Again, before profiles are refreshed, it is the same. Unscoped: whoever looks at it sees their own. Raises
    NotFound, Refused, and BadInput for a name that is no name or taken."""
    if not viewer.may_operate:
        raise Refused("您的角色不能修改分群。", "Your role may not change segments.")
    if not re.fullmatch(NAME, as_name):
        raise BadInput(
            "代号由小写字母、数字和下划线组成，以字母开头。",
            "A name is made of small letters, digits and underscores, and begins with a letter.",
        )
    live, at = segment_named(name), context(warehouse)
    day = at.moment.today.isoformat()
    still = SegmentDocument(
        kind="segment",
        name=as_name,
        title=Title(zh=f"{live.title.zh}（{day} 定格）", en=f"{live.title.en} (as of {day})"),
        where=RecordedRule(recorded=Record(segment=as_name, at=at.moment.as_of)),
    )
    taken = documents.versions(SegmentDocument, as_name)
    if taken and taken[0].document != still:
        raise BadInput(
            f"已经有名为 {as_name} 的分群，请换一个名字。", f"There is a segment named {as_name}; choose another name."
        )
    members = warehouse.query(Statement(compile_segment(live, at), name=f"segments/{name}"))
    append_changes(warehouse, as_name, 1, members, at.moment.as_of, RunId(int(at.moment.as_of.timestamp())))
    return taken[0] if taken else save(still, viewer)


def remove_trait(name: str, viewer: Viewer) -> None:
    """Let a trait of the brand's own be no more. Raises NotFound, Refused, and BadInput where a segment or a formula
    still asks for it."""
    users = [document.name for document in segments() if name in traits_in(document)]
    if users:
        raise BadInput(
            f"分群 {'、'.join(users)} 用着属性「{name}」，请先改它们。",
            f"The segments {', '.join(users)} use the trait “{name}”; change them first.",
        )
    registry.remove_trait(name, viewer)


def record_all(warehouse: Warehouse, but: Collection[str] = ()) -> list[Changes]:
    """Append who entered and who left every segment since the last record, `but` for those that others record; who is
    in which is asked in one pass. A segment that names what is no more is passed over, until it is mended.

    Runs are named by the instant, so that a look repeated, or killed in the middle, appends nobody twice.
    """
    at = context(warehouse)
    kept = {
        stored.document.name: (stored, stored.document)
        for stored in documents.current(SegmentDocument)
        if isinstance(stored.document, SegmentDocument) and stored.document.name not in but
        and compiles(stored.document, at)
    }  # fmt: skip
    if not kept:
        return []
    query = compile_memberships([document for _, document in kept.values()], at)
    each = warehouse.query(Statement(query, name="segments/memberships"))
    run = RunId(int(at.moment.as_of.timestamp()))
    inside = {name: each.filter(each[name]).select(["person"]) for name in kept}
    return [
        append_changes(warehouse, name, stored.version, inside[name], at.moment.as_of, run)
        for name, (stored, _) in kept.items()
    ]


def compiles(document: SegmentDocument, at: Context) -> bool:
    """Whether a segment can be asked for: it names nothing that is no more."""
    try:
        compile_segment(document, at)
    except BadInput:
        return False
    return True


def record_changes(warehouse: Warehouse, stored: StoredDocument, run: RunId) -> Changes:
    """Append who entered and who left since the last record, at the instant at which profiles stand.

    A run that is repeated finds nothing more to append. (Unscoped: membership is a fact, not a view.)
    """
    document = stored.document
    if not isinstance(document, SegmentDocument):
        raise TypeError(document.kind)
    at = context(warehouse)
    members = warehouse.query(Statement(compile_segment(document, at), name=f"segments/{document.name}"))
    return append_changes(warehouse, document.name, stored.version, members, at.moment.as_of, run)


def append_changes(
    warehouse: Warehouse, name: str, version: int, members: pa.Table, at: datetime, run: RunId
) -> Changes:
    """Append who of `members` (column `person`) was not in the segment when it was last recorded, and who was and is no
    more: again, nobody. Unscoped: membership is a fact."""
    what: dict[str, object] = {"segment": name, "version": version, "at": at, "run": run}
    warehouse.write([named("segments/changes", what, {"members": members})])
    told = warehouse.query(named("segments/changed", {"segment": name, "run": run})).to_pylist()[0]
    return Changes(name, version, at, told["entered"], told["gone"])
