"""客户阶段: on which step everybody stands, and who moved.

Rules are told of everybody at once, at the instant at which profiles stand; what differs from the last word is
appended, in one transaction with the mark by which the next look knows whether anything can have changed. Killed, all
of a look is kept or nothing; repeated, or twice at once, the second finds nobody who moved.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime

from sqlglot import exp

from yutang.documents import queries as documents
from yutang.documents.contracts import StoredDocument
from yutang.documents.services import save_document
from yutang.kernel.calendars import aware
from yutang.kernel.documents import Part
from yutang.kernel.errors import BadInput, NotFound, Refused
from yutang.kernel.ids import PersonId, salt
from yutang.layers.contracts import Climbed, LayerCount, Move, MoveCount
from yutang.layers.documents import DEFAULT, LadderDocument, refuse_circles
from yutang.layers.shared import by_layer, scope_of
from yutang.organisation.contracts import Viewer
from yutang.organisation.queries import brand, nodes
from yutang.profiles.contracts import Moment
from yutang.profiles.queries import kept_state, number, parse_refresh, parse_state
from yutang.profiles.traits import LADDER
from yutang.segments.compile import compile_memberships
from yutang.segments.contracts import Context, Nodes, unfitted
from yutang.segments.documents import SegmentDocument, leaves, referred
from yutang.segments.queries import context, segment_named
from yutang.warehouse.contracts import Statement, Warehouse, named

STATE = "ladder"


def ladder_document() -> LadderDocument | None:
    """The rules in force; None where the brand has no ladder."""
    try:
        return documents.document_named(LadderDocument, DEFAULT)
    except NotFound:
        return None


def keep_ladder(document: LadderDocument, viewer: Viewer, *, base: int | None = None) -> StoredDocument:
    """Keep the document as the next version. Raises BadInput for a store, region or segment that does not exist, and
    for a rule that asks for the ladder itself, also through another segment."""
    if not (viewer.may_operate and viewer.sees_all):
        raise Refused("只有总部能改客户阶段的规则。", "Only headquarters may change the rules of the ladder.")
    check(document)
    return save_document(document, viewer.name, base=base)


def check(document: LadderDocument) -> None:
    """Raise BadInput where the rules cannot be told (see `keep_ladder`)."""
    for one in document.steps:
        _refuse_hidden_circles(one.where, set())
    any_instant = Moment(datetime(2000, 1, 1, tzinfo=UTC), brand().zone)
    standing_on(document, Context(any_instant, Nodes(nodes), segment_named, unfitted))


def _refuse_hidden_circles(rule: Part, seen: set[str]) -> None:
    refuse_circles(rule)
    for leaf in leaves(rule):
        other = referred(leaf)
        if other and other not in seen:
            seen.add(other)
            try:
                found = segment_named(other)
            except NotFound as error:
                raise BadInput(error.zh, error.en) from None
            _refuse_hidden_circles(found.where, seen)


def climb(warehouse: Warehouse) -> Climbed:
    """Append who stands elsewhere than when we last looked. (Unscoped: a step is a fact, not a view.)

    Does nothing before the first refresh of profiles, without a ladder, and while neither profiles, nor the rules or
    any segment, nor the local day have changed. Raises BadInput for rules that cannot be told any more.
    """
    kept = kept_state(warehouse)
    moment, document = parse_state(kept), ladder_document()
    if moment is None or document is None:
        return Climbed(looked=False)
    mark = _mark(kept, moment, document)
    before = _state(warehouse)
    if before == mark:
        return Climbed(looked=False)
    check(document)
    standing = warehouse.query(Statement(standing_on(document, context(warehouse)), name="layers/standing"))
    after = number(warehouse, "SELECT coalesce(max(turn), 0) FROM ladder_moves")
    overtaken = Statement(
        "SELECT coalesce((SELECT value FROM profile_state WHERE name = $name), '') <> $before",
        {"name": STATE, "before": before},
        name="layers/overtaken",
    )
    statements = [
        named("layers/climb", {"at": moment.as_of}, {"standing": standing}),
        Statement("DELETE FROM profile_state WHERE name = $name", {"name": STATE}),
        Statement("INSERT INTO profile_state VALUES ($name, $mark)", {"name": STATE, "mark": mark}),
    ]
    if not warehouse.write(statements, unless=overtaken):
        return Climbed(looked=False)  # somebody else looked meanwhile
    found = warehouse.query(named("layers/climbed", {"after": after})).to_pylist()[0]
    return Climbed(True, found["told"], found["up"], found["down"])


def standing_on(document: LadderDocument, at: Context) -> exp.Select:
    """SELECT `person` and `step` (its place in LADDER) of everybody."""
    rules = [
        SegmentDocument.model_validate(
            {"kind": "segment", "name": f"step_{one.step}", "title": document.title, "where": one.where}
        )
        for one in document.steps
    ]
    each = compile_memberships(rules, at).subquery("each")
    case = exp.Case()
    for one in reversed(document.steps):
        place = exp.Literal.number(LADDER.index(one.step))
        case = case.when(exp.column(f"step_{one.step}", "each", quoted=True), place)
    step = case.else_(exp.Literal.number(0))
    return exp.select(exp.column("person", "each"), exp.cast(step, "int").as_("step")).from_(each)


def _mark(kept: str, moment: Moment, document: LadderDocument) -> str:
    parts = {
        "refresh": parse_refresh(kept),
        "day": moment.today.isoformat(),
        "rules": f"{salt(document.as_yaml(), str(documents.latest_mark(SegmentDocument))):016x}",
    }
    return json.dumps(parts, sort_keys=True)


def _state(warehouse: Warehouse) -> str:
    rows = warehouse.query(Statement("SELECT value FROM profile_state WHERE name = $name", {"name": STATE}))
    return str(rows.column(0)[0].as_py()) if rows.num_rows else ""


def steps(warehouse: Warehouse, viewer: Viewer) -> list[LayerCount]:
    """Every step of the ladder, the lowest first, with who stands on it of those whom the viewer sees."""
    return by_layer(warehouse, viewer, "ladder", LADDER)


def move_counts(warehouse: Warehouse, viewer: Viewer, since: datetime, zone: str) -> list[MoveCount]:
    """How many went from which step to which, by local day of a zone."""
    asked = named("layers/move_counts", {"since": since, "zone": zone, **scope_of(viewer)})
    return [
        MoveCount(row["day"], LADDER[row["before"]], LADDER[row["step"]], row["persons"])
        for row in warehouse.query(asked).to_pylist()
    ]


def moves(
    warehouse: Warehouse,
    viewer: Viewer,
    since: datetime,
    *,
    up: bool = True,
    down: bool = True,
    limit: int = 50,
    offset: int = 0,
) -> tuple[int, list[Move]]:
    """How many moves there were, and some of them, the latest first; `up` and `down` say which count."""
    params = {"since": since, "up": up, "down": down, "limit": limit, "offset": offset, **scope_of(viewer)}
    rows = warehouse.query(named("layers/moves", params)).to_pylist()
    found = [
        Move(PersonId(row["person"]), LADDER[row["before"]], LADDER[row["step"]], aware(row["at"])) for row in rows
    ]
    return (rows[0]["total"] if rows else 0), found
