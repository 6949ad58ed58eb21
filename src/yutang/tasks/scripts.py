"""Which words fit somebody: of the shipped broadcasts, those that are about a segment they are in, before those about
everybody. What stores wrote for plans of their own is not offered to others."""

from __future__ import annotations

from sqlglot import exp

from yutang.documents.queries import current
from yutang.kernel.errors import NotFound
from yutang.kernel.ids import PersonId
from yutang.organisation.contracts import Viewer
from yutang.people.links import VARIABLE
from yutang.profiles.queries import as_of
from yutang.reach.documents import BroadcastDocument
from yutang.segments import queries as segments
from yutang.segments.documents import SegmentDocument
from yutang.tasks.sending import Script
from yutang.warehouse.contracts import Statement, Warehouse

SHOWN = 3


def scripts_for(warehouse: Warehouse, viewer: Viewer, person: PersonId, channel: str, language: str) -> list[Script]:
    """At most three for a person whom the viewer sees."""
    known = [one for one in _shipped() if one.channel == channel]
    named = {one.audience.segment for one in known} - {None}
    mine = _segments_of(warehouse, viewer, person, [_segment(name) for name in sorted(filter(None, named))])
    fitting = [one for one in known if one.audience.everyone or one.audience.segment in mine]
    fitting.sort(key=lambda one: (one.audience.everyone, -one.priority, one.name))
    return [_script(one, language) for one in fitting[:SHOWN]]


def script_named(name: str, language: str) -> Script:
    """The words of that name. Raises NotFound."""
    found = next((one for one in _shipped() if one.name == name), None)
    if found is None:
        raise NotFound(f"没有「{name[:63]}」这份话术。", f"There are no words named “{name[:63]}”.")
    return _script(found, language)


def _shipped() -> list[BroadcastDocument]:
    found = [one.document for one in current(BroadcastDocument) if one.shipped]
    return [one for one in found if isinstance(one, BroadcastDocument)]


def _script(document: BroadcastDocument, language: str) -> Script:
    text = "\n".join(line for line in document.message.text.splitlines() if VARIABLE not in line)
    return Script(
        document.name, document.title.text(language), text.strip(), document.purpose, document.topic, document.value
    )


def _segment(name: str) -> SegmentDocument | None:
    try:
        return segments.segment_named(name)
    except NotFound:
        return None  # retired since: then nobody is in it


def _segments_of(
    warehouse: Warehouse, viewer: Viewer, person: PersonId, documents: list[SegmentDocument | None]
) -> set[str]:
    """The segments in which a person is now."""
    asked = [one for one in documents if one is not None]
    if not asked or as_of(warehouse) is None:
        return set()
    at = segments.context(warehouse)
    found = set()
    for one in asked:
        inner = segments.statement(one, viewer, at).sql
        assert isinstance(inner, exp.Select)
        query = inner.copy().where(exp.column("person", "profiles").eq(int(person)))
        if warehouse.query(Statement(query, name=f"segments/{one.name}")).num_rows:
            found.add(one.name)
    return found
