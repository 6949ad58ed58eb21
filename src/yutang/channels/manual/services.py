"""Writing down what was done by hand: line by line, all at once, or from a file that was filled in elsewhere."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pyarrow as pa
from django.db import transaction

from yutang.channels.manual.contracts import LATE, UNDO, Imported, ListState, Result, Wrong
from yutang.channels.manual.models import Line, WorkList
from yutang.channels.manual.queries import list_of
from yutang.intake.files.contracts import Source
from yutang.intake.files.opening import Given, open_source
from yutang.intake.kinds.fields import folded
from yutang.intake.parsing import times
from yutang.kernel.clock import business_now
from yutang.kernel.errors import BadInput, Refused
from yutang.organisation import services as organisation
from yutang.organisation.contracts import RoleName, Viewer
from yutang.organisation.queries import brand

_SHOWN = 50
COLUMNS: Mapping[str, tuple[str, ...]] = {
    "line": ("序号", "line", "no"),
    "result": ("结果", "result", "outcome"),
    "at": ("时间", "time", "at"),
}
"""The columns of a file of results, by the names that they go by; the first is how an export writes them in Chinese."""
WORDS: Mapping[Result, tuple[str, ...]] = {
    Result.SENT: ("已发", "已发送", "已联系", "sent", "done", "是", "yes", "1", "√"),
    Result.NOT_REACHED: ("没联系上", "未联系上", "联系不上", "not reached", "not_reached", "否", "no", "0", "×"),
}
"""What may be written as a result; the first is how an export writes it in Chinese."""
_RESULT_OF = {word: result for result, words in WORDS.items() for word in words}


def note(viewer: Viewer, number: int, lines: Collection[int] | None, result: Result) -> int:
    """Write down now what became of lines of a list (None: of all of which nobody has said anything). Returns how many
    changed: the same word again changes nothing, another one corrects it as long as it may be taken back.

    Raises NotFound; Refused for a role that only looks, and for a list that is no longer written on.
    """
    now = business_now()
    with transaction.atomic():
        row = _held(viewer, number)
        open_lines = row.lines.filter(result="")
        if lines is None:
            changed = open_lines.update(**_said(viewer, result, now, now))
        else:
            fresh = row.lines.exclude(result=result.value).filter(noted_at__gt=now - UNDO)
            chosen = (open_lines | fresh).filter(number__in=lines)
            changed = chosen.update(**_said(viewer, result, now, now))
        if changed:
            organisation.audit(viewer, "note_list", f"list {number}", result=result.value, lines=changed)
    return int(changed)


def take_back(viewer: Viewer, number: int, lines: Collection[int]) -> int:
    """Undo what was just written down of lines; returns how many were. Raises as `note`, and Refused where it was
    written down too long ago: a plan may have counted it."""
    with transaction.atomic():
        row = _held(viewer, number)
        recent = row.lines.filter(number__in=lines, noted_at__gt=business_now() - UNDO)
        undone = recent.update(result="", at=None, noted_at=None, noted_by="")
        if not undone:
            raise Refused(
                "记下超过 10 分钟的不能再撤销：计划可能已经把它算进去了。",
                "What was written down more than 10 minutes ago stays: the plan may have counted it.",
            )
        organisation.audit(viewer, "take_back_note", f"list {number}", lines=undone)
    return int(undone)


def hand_in(viewer: Viewer, number: int) -> None:
    """Say that all that was done is written down. What nobody said anything of was not done: at the end it is taken up
    again. Handing in again is no error."""
    if list_of(viewer, number).state is ListState.HANDED_IN:
        return
    with transaction.atomic():
        row = _held(viewer, number)
        row.handed_in_at, row.handed_in_by = business_now(), viewer.name
        row.save(update_fields=["handed_in_at", "handed_in_by"])
        organisation.audit(viewer, "hand_in_list", f"list {number}", left=row.lines.filter(result="").count())


def take_along(viewer: Viewer, number: int) -> None:
    """A copy leaves the house: from now on it is handed in before it can be called back."""
    list_of(viewer, number)
    rows = WorkList.objects.filter(pk=number, called_back_at=None, handed_in_at=None, taken_at=None)
    rows.update(taken_at=business_now())


def read_results(viewer: Viewer, number: int, given: Given, *, encoding: str | None = None) -> Imported:
    """Write down what a file says of lines: columns for the line's number, the result, and (if there) when it was; rows
    without a result are passed over. With one row that cannot be read nothing is written down.

    A result that stands already is not changed. Raises as `note`, and BadInput for a file that is none.
    """
    known = {folded(word): name for name, words in COLUMNS.items() for word in words}
    source = open_source(given, encoding, lambda column: folded(column) in known)
    columns = {known[folded(column)]: column for column in source.columns if folded(column) in known}
    missing = [COLUMNS[name][0] for name in ("line", "result") if name not in columns]
    if missing:
        raise BadInput(
            f"文件里没有「{'」「'.join(missing)}」这一列，请用导出的名单填写。",
            f"The file has no column {' or '.join(missing)}; fill in a list that was exported.",
        )
    now = business_now()
    with transaction.atomic():
        row = _held(viewer, number)
        standing = dict(row.lines.values_list("number", "result"))
        told = list(_told(source, columns, standing, row, now))
        wrong = [one for one in told if isinstance(one, Wrong)]
        wrong += [Wrong(broken.row, "", broken.zh, broken.en) for broken in source.broken]
        if wrong:
            return Imported(len(told), wrong=tuple(wrong[:_SHOWN]))
        new = {one.line: one for one in told if isinstance(one, _Said) and not standing[one.line]}
        lines = list(row.lines.filter(number__in=list(new)))
        for line in lines:
            said = new[line.number]
            line.result, line.at, line.noted_at, line.noted_by = said.result.value, said.at, now, viewer.name
        Line.objects.bulk_update(lines, ["result", "at", "noted_at", "noted_by"], batch_size=500)
        if lines:
            organisation.audit(viewer, "import_list", f"list {number}", lines=len(lines))
    return Imported(len(told), len(lines), len(told) - len(lines))


@dataclass(frozen=True, slots=True)
class _Said:
    line: int
    result: Result
    at: datetime


def _told(
    source: Source, columns: Mapping[str, str], standing: Mapping[int, str], row: WorkList, now: datetime
) -> Iterator[_Said | Wrong]:
    """What each row says that says anything."""
    zone = brand().zone
    seen: set[int] = set()
    for numbers, batch in source.read(list(columns.values())):
        texts = {name: batch.column(column).cast(pa.string()).to_pylist() for name, column in columns.items()}
        said_at, bad = _moments(batch, columns, zone)
        for place, number in enumerate(numbers.tolist()):
            words = (texts["result"][place] or "").strip().casefold()
            line = (texts["line"][place] or "").strip().removesuffix(".0")
            if not words:
                continue
            if not line.isdecimal() or int(line) not in standing:
                shown = line[:20]
                yield Wrong(number, "line", f"名单里没有序号「{shown}」。", f"The list has no line “{shown}”.")
            elif int(line) in seen:
                yield Wrong(number, "line", f"序号 {line} 出现了两次。", f"Line {line} stands there twice.")
            elif words not in _RESULT_OF:
                shown = words[:20]
                yield Wrong(
                    number, "result", f"「{shown}」应为 已发 或 没联系上。", f"“{shown}” should be sent or not reached."
                )
            elif bad[place]:
                yield Wrong(
                    number, "at", "时间看不懂，应类似 2026-11-27 14:05。", "It is no time such as 2026-11-27 14:05."
                )
            else:
                at = said_at[place] or now
                if not row.created_at - timedelta(minutes=1) <= at <= now + timedelta(minutes=1):
                    yield Wrong(
                        number,
                        "at",
                        "时间不在名单发出之后、现在之前。",
                        "It lies before the list was made, or in the future.",
                    )
                    continue
                seen.add(int(line))
                yield _Said(int(line), _RESULT_OF[words], min(max(at, row.created_at), now))


def _moments(batch: pa.RecordBatch, columns: Mapping[str, str], zone: str) -> tuple[list[datetime | None], list[bool]]:
    """When each row says that it was (None: it does not), and which say something that is no time."""
    if "at" not in columns:
        return [None] * batch.num_rows, [False] * batch.num_rows
    column = batch.column(columns["at"])
    said = [bool(str(value or "").strip()) for value in column.to_pylist()]
    values, bad = times(column, zone)
    moments = [
        datetime.fromtimestamp(value / 1_000_000, UTC) if there else None
        for value, there in zip(values.tolist(), said, strict=True)
    ]
    return moments, [there and wrong for there, wrong in zip(said, bad.tolist(), strict=True)]


def forget_lines_of(persons: Iterable[int]) -> None:
    """Take these persons off every list."""
    Line.objects.filter(person__in=list(persons)).delete()


def _held(viewer: Viewer, number: int) -> WorkList:
    """A list to be written on, alone."""
    facts = list_of(viewer, number)
    if viewer.role is RoleName.ANALYST:
        raise Refused("你的角色只能查看。", "Your role may only look.")
    row = WorkList.objects.select_for_update().get(pk=facts.id)
    if row.called_back_at is not None:
        raise Refused(
            "这份名单已到期收回：没记下的人会重新过闸，不要再联系。",
            "This list is over and was called back: whoever is not written down is decided anew; do not speak to them.",
        )
    if row.handed_in_at is not None:
        raise Refused("这份名单已经交回。", "This list was handed in.")
    if row.until is not None and business_now() > row.until + LATE:
        raise Refused(
            "到期已超过 10 天，记下也不再算进计划。",
            "It ended more than 10 days ago; what is written down now counts for no plan any more.",
        )
    return row


def _said(viewer: Viewer, result: Result, at: datetime, noted_at: datetime) -> dict[str, object]:
    return {"result": result.value, "at": at, "noted_at": noted_at, "noted_by": viewer.name}
