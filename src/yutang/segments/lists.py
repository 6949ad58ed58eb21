"""A segment made of a list: whoever its rows name, by phone, e-mail or number, and nobody else.

The list is read as any file that is imported, and only whom it names is kept, by number of person: no identifier of it
is stored anywhere. Persons are recorded as having entered the segment at one instant, and the document holds that
instant (`recorded`). So a list given again changes nothing, another one is the next version, and a house that dies
between the two writes has the segment as it was.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pyarrow as pa
from django.db import transaction

from yutang.documents import queries as documents
from yutang.intake.files.opening import Given, filled, open_source
from yutang.intake.kinds.contracts import Kind
from yutang.intake.kinds.fields import folded
from yutang.intake.kinds.people import IDENTITY
from yutang.intake.kinds.recognising import known_to, recognise, refuse_missing
from yutang.intake.parsing import SCIENTIFIC, scientific, text
from yutang.intake.refused import HEADER, hidden
from yutang.kernel import database
from yutang.kernel.clock import business_now
from yutang.kernel.documents import Title, parse
from yutang.kernel.errors import BadInput, Refused
from yutang.kernel.failpoints import failpoint
from yutang.kernel.ids import RunId
from yutang.log.contracts import IdentifierValue
from yutang.organisation.contracts import Viewer
from yutang.organisation.queries import brand
from yutang.organisation.services import audit
from yutang.people.identifiers import is_strong, normalised
from yutang.people.queries import find_all_values, namespaces_of
from yutang.segments.documents import Record, RecordedRule, SegmentDocument
from yutang.segments.services import append_changes, save
from yutang.warehouse.contracts import Warehouse, named

LIST = Kind("list", "名单", "list", (), IDENTITY, ())
MOST_ROWS = 1_000_000
LOCK = "segment list"
Line = tuple[int, dict[str, str]]
"""A row and what it says, by kind of identifier."""
_TICK = timedelta(microseconds=1)
_MARKS = ("wm", "wo")
_EXTERNAL_LENGTH = 32
_NOBODY = ("没有这样的客户", "there is no such person")
_TWICE = ("和前面某一行是同一位客户", "an earlier row names the same person")
_SEVERAL = ("这一行说的是不止一位客户", "this row is several persons'")
_AMBIGUOUS = (
    "这个会员号在不同来源里是不同的客户，请选定来源",
    "this member number is another person's in another source; choose the source",
)
_EMPTY = ("没有一项说明是哪位客户", "it does not say which person")
_NO_PHONE = ("不是可能的手机号", "it is no possible phone number")


@dataclass(frozen=True, slots=True)
class Trouble:
    """A row that adds nobody: what stands in which column, masked, and why."""

    row: int
    column: str
    value: str
    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class Listed:
    """What a list says. Every row is either `found` for the first time, or `missing`, `doubled` or `unreadable`; of
    those `missing`, `ambiguous` are such whose member number several sources gave to several persons. `columns` are
    those that were read, by field. `version` is that of the segment, once kept; `changed`: by this."""

    rows: int
    persons: tuple[int, ...]
    missing: int
    ambiguous: int
    doubled: int
    unreadable: int
    columns: Mapping[str, str]
    troubles: tuple[Trouble, ...] = field(repr=False)
    version: int | None = None
    changed: bool = False

    @property
    def found(self) -> int:
        """How many persons it names."""
        return len(self.persons)


def sources() -> tuple[str, ...]:
    """The sources that gave member numbers."""
    return namespaces_of("member")


def read_list(viewer: Viewer, given: Given, source: str = "") -> Listed:
    """Whom a list names; keeps nothing. Member numbers are those of `source`, or of any: then one that is one person's
    in one source and another's in another is nobody's, unless what stands beside it tells which. Raises BadInput for
    what is no list and for a source that gave no numbers, and Refused for whoever does not see everybody: else a list
    would tell of people whom they may not see."""
    if not (viewer.may_operate and viewer.sees_all):
        raise Refused(
            "名单按整个品牌的客户来认，只有总部运营能用。",
            "A list is looked up among all the brand's persons; only headquarters may.",
        )
    if source and source not in (known := sources()):
        raise BadInput(
            f"没有来自「{source}」的会员号；有会员号的来源：{'、'.join(known) or '无'}。",
            f"No member numbers came from “{source}”; they came from {', '.join(known) or 'nowhere'}.",
        )
    names = known_to(LIST, {})
    opened = open_source(given, None, lambda name: folded(name) in names)
    found = recognise(LIST, opened.columns, {}, {}, {})
    refuse_missing(LIST, opened.columns, found, {})
    country = brand().country
    lines: list[Line] = []
    troubles: list[Trouble] = []
    for numbers, block in map(filled, opened.read(list(found.columns.values()))):
        words = {kind: text(block.column(place)) for place, kind in enumerate(found.columns)}
        short = {kind: scientific(column).tolist() for kind, column in words.items()}
        cells = {kind: column.to_pylist() for kind, column in words.items()}
        for index, row in enumerate(numbers.tolist()):
            said = {kind: values[index] for kind, values in cells.items() if values[index]}
            try:
                lines.append((row, _who(said, country, [kind for kind in said if short[kind][index]])))
            except _Unreadable as wrong:
                troubles.append(_trouble(row, found.columns.get(wrong.kind, ""), said.get(wrong.kind, ""), wrong.why))
        if len(lines) + len(troubles) > MOST_ROWS:
            raise BadInput(
                f"名单超过 {MOST_ROWS:,} 行，请拆开。", f"The list has more than {MOST_ROWS:,} rows; split it."
            )
    troubles += [Trouble(one.row, "", "", one.zh, one.en) for one in opened.broken]
    unreadable = len(troubles)
    return replace(_looked_up(viewer, lines, found.columns, troubles, source), unreadable=unreadable)


class _Unreadable(Exception):  # never reaches a person as itself: the row's trouble says it
    def __init__(self, kind: str, why: tuple[str, str]) -> None:
        super().__init__(kind)
        self.kind, self.why = kind, why


def _who(said: dict[str, str], country: str, short: Sequence[str]) -> dict[str, str]:
    if not said:
        raise _Unreadable("", _EMPTY)
    if short:
        raise _Unreadable(short[0], SCIENTIFIC)
    if "phone" in said and not is_strong(normalised(IdentifierValue("phone", "", said["phone"]), country)):
        raise _Unreadable("phone", _NO_PHONE)
    return said


def _looked_up(
    viewer: Viewer, lines: Sequence[Line], columns: Mapping[str, str], troubles: list[Trouble], source: str
) -> Listed:
    """Who the rows name. Of several identifiers in a row one is enough, but they must not be of several persons."""
    known = {
        kind: find_all_values(
            viewer, kind, {said[kind] for _, said in lines if kind in said}, source if kind == "member" else ""
        )
        for kind in columns
    }
    seen: dict[int, None] = {}
    met: Counter[tuple[str, str]] = Counter()
    rows = len(lines) + len(troubles)
    for row, said in lines:
        each = [persons for kind, value in said.items() if (persons := known[kind].get(value))]
        alike = set.intersection(*each) if each else set()
        why = _NOBODY if not each else _SEVERAL if not alike else _AMBIGUOUS if len(alike) > 1 else None
        if why is None and alike.isdisjoint(seen):
            seen[int(alike.pop())] = None
            continue
        why = why or _TWICE
        met[why] += 1
        kind, value = next(iter(said.items()))
        troubles.append(_trouble(row, columns[kind], value, why))
    ordered = tuple(sorted(troubles, key=lambda one: one.row))
    missing = met.total() - met[_TWICE]
    return Listed(rows, tuple(seen), missing, met[_AMBIGUOUS], met[_TWICE], 0, columns, ordered)


def _trouble(row: int, column: str, value: str, why: tuple[str, str]) -> Trouble:
    return Trouble(row, column, hidden(value), *why)


def pasted(words: str) -> pa.RecordBatchReader:
    """Lines as people paste them, one identifier each: what each is is told by its shape, and what has no other is a
    member number."""
    country = brand().country
    rows = [{_kind_of(line.strip(), country): line.strip()} for line in words.splitlines() if line.strip()]
    if not rows:
        raise BadInput("名单是空的。", "The list is empty.")
    return rows_of(rows)


def rows_of(rows: Sequence[Mapping[str, str]]) -> pa.RecordBatchReader:
    """Rows that say what each identifier is, as a file of these columns."""
    for row in rows:
        for kind in row:
            if kind not in IDENTITY:
                raise BadInput(
                    f"没有「{kind}」这一项，可用的有：{'、'.join(IDENTITY)}。",
                    f"There is no field “{kind}”; there are {', '.join(IDENTITY)}.",
                )
    kinds = [kind for kind in IDENTITY if any(row.get(kind) for row in rows)] or ["member"]
    table = pa.table({kind: pa.array([row.get(kind) for row in rows], pa.string()) for kind in kinds})
    return table.to_reader()


def _kind_of(word: str, country: str) -> str:
    if "@" in word:
        return "email"
    if len(word) == _EXTERNAL_LENGTH and word.startswith(_MARKS):
        return "external_userid"
    return "phone" if is_strong(normalised(IdentifierValue("phone", "", word), country)) else "member"


def ambiguity(listed: Listed) -> tuple[str, str]:
    """What to do about rows whose member number several sources gave to several persons."""
    known = sources()
    return (
        f"{listed.ambiguous:,} 行的会员号在不同来源里是不同的客户，请选定来源：{'、'.join(known)}。",
        f"{listed.ambiguous:,} rows have a member number that is another person's in another source; choose the "
        f"source: {', '.join(known)}.",
    )


def error_file(listed: Listed) -> bytes:
    """The rows that add nobody, as the error file of an import: nothing personal is readable in it."""
    written = io.StringIO(newline="")
    writer = csv.writer(written)
    writer.writerow(HEADER)
    writer.writerows((one.row, one.column, one.value, one.zh, one.en) for one in listed.troubles)
    return written.getvalue().encode("utf-8-sig")


def keep_list(
    warehouse: Warehouse, viewer: Viewer, name: str, given: Given, title: str = "", source: str = ""
) -> Listed:
    """Keep whom a list names as the segment of that name: its first version, or the next if others are in it now.

    Raises BadInput where that name is a segment by rules, or nobody was found."""
    listed = read_list(viewer, given, source)
    if not listed.persons:
        zh, en = ambiguity(listed) if listed.ambiguous else ("", "")
        raise BadInput(
            f"{listed.rows:,} 行里没有一行认得出是谁，没有保存。{zh}",
            f"None of the {listed.rows:,} rows names a person whom we know; nothing was saved. {en}".rstrip(),
        )
    with transaction.atomic():
        database.lock(LOCK)
        versions = documents.versions(SegmentDocument, name)
        last = versions[0].document if versions else None
        if last is not None and not (isinstance(last, SegmentDocument) and is_list(last)):
            raise BadInput(
                f"「{name}」是按条件圈的分群，请换一个代号。", f"“{name}” is a segment by rules; choose another name."
            )
        if last is not None and _members(warehouse, last) == set(listed.persons) and not _retitled(last, title):
            return replace(listed, version=versions[0].version)
        at = _after_all(warehouse, name)
        document = _document(name, at, title, last)
        members = pa.table({"person": pa.array(listed.persons, pa.int64())})
        version = versions[0].version + 1 if versions else 1
        append_changes(warehouse, name, version, members, at, RunId(int(at.timestamp() * 1_000_000)))
        failpoint("list.recorded")
        kept = save(document, viewer, base=versions[0].version if versions else 0)
        audit(viewer, "keep_list", name, rows=listed.rows, found=listed.found, version=kept.version)
    return replace(listed, version=kept.version, changed=True)


def is_list(document: SegmentDocument) -> bool:
    """Whether a segment is a list of its own: of those recorded under its name."""
    return isinstance(document.where, RecordedRule) and document.where.recorded.segment == document.name


def _retitled(last: SegmentDocument, title: str) -> bool:
    return bool(title) and title not in (last.title.zh, last.title.en)


def _document(name: str, at: datetime, title: str, last: SegmentDocument | None) -> SegmentDocument:
    called = Title(zh=title, en=title) if title else last.title if last else Title(zh=name, en=name)
    rule = RecordedRule(recorded=Record(segment=name, at=at))
    head = {"kind": "segment", "name": name, "title": called.model_dump(), "where": rule}
    return parse(SegmentDocument, head)


def _members(warehouse: Warehouse, document: SegmentDocument) -> set[int]:
    assert isinstance(document.where, RecordedRule)
    what = {"segment": document.name, "at": document.where.recorded.at}
    return set(warehouse.query(named("segments/recorded", what))["person"].to_pylist())


def _after_all(warehouse: Warehouse, name: str) -> datetime:
    """Now, or a moment after what was last recorded of it: clocks differ."""
    last = warehouse.query(named("segments/last_recorded", {"segment": name}))["at"][0].as_py()
    now = business_now()
    return max(now, last.replace(tzinfo=UTC) + _TICK) if last else now
