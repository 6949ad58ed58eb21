"""Keeping segments, and recording who entered and who left them."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime

import pyarrow as pa

from yutang.documents import queries as documents
from yutang.documents.contracts import StoredDocument
from yutang.documents.services import save_document
from yutang.kernel.errors import BadInput, Refused
from yutang.kernel.ids import RunId
from yutang.organisation.contracts import Viewer
from yutang.organisation.queries import brand, nodes
from yutang.profiles import registry
from yutang.profiles.contracts import Moment
from yutang.segments.compile import compile_memberships, compile_segment
from yutang.segments.contracts import Changes, Context, Nodes
from yutang.segments.documents import SegmentDocument, traits_in
from yutang.segments.queries import context, segment_named, segments
from yutang.warehouse.contracts import Statement, Warehouse, named

_ANY_INSTANT = datetime(2000, 1, 1, tzinfo=UTC)


def check(document: SegmentDocument) -> None:
    """Raise BadInput if the document names a store, region or segment that does not exist, or closes a cycle."""
    compile_segment(document, Context(Moment(_ANY_INSTANT, brand().zone), Nodes(tuple(nodes())), segment_named))


def save(
    document: SegmentDocument, viewer: Viewer, *, shipped: bool = False, base: int | None = None
) -> StoredDocument:
    """Keep the document as the next version of its name, written from version `base` if that is given. Raises BadInput
    (see `check`; also where `base` is no longer the last version) and Refused."""
    if not viewer.may_operate:
        raise Refused("您的角色不能修改分群。", "Your role may not change segments.")
    check(document)
    return save_document(document, viewer.name, shipped=shipped, base=base)


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
        and _compiles(stored.document, at)
    }  # fmt: skip
    if not kept:
        return []
    query = compile_memberships([document for _, document in kept.values()], at)
    each = warehouse.query(Statement(query, name="segments/memberships"))
    run = RunId(int(at.moment.as_of.timestamp()))
    return [
        _append(warehouse, stored, each.filter(each[name]).select(["person"]), at, run)
        for name, (stored, _) in kept.items()
    ]


def _compiles(document: SegmentDocument, at: Context) -> bool:
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
    return _append(warehouse, stored, members, at, run)


def _append(warehouse: Warehouse, stored: StoredDocument, members: pa.Table, at: Context, run: RunId) -> Changes:
    document = stored.document
    what: dict[str, object] = {"segment": document.name, "version": stored.version, "at": at.moment.as_of, "run": run}
    warehouse.write([named("segments/changes", what, {"members": members})])
    told = warehouse.query(named("segments/changed", {"segment": document.name, "run": run})).to_pylist()[0]
    return Changes(document.name, stored.version, at.moment.as_of, told["entered"], told["gone"])
