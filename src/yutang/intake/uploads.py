"""Files that come through the console: kept sealed, looked at, and imported in the background, one after another.

An upload is a row of `Import` with a sealed file. What its owner wishes is written into the row; `turn` does it under
the importers' lease, so a house that dies in the middle does it again when it stands again.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime, timedelta
from pathlib import Path

from django.db import OperationalError, transaction
from django.db.models import Q

from yutang.intake import imports
from yutang.intake.files.contracts import SealedFile
from yutang.intake.files.opening import ENDINGS, filled, full_disk_is_said, open_source
from yutang.intake.imports import (
    APPENDING,
    CANCELLED,
    DONE,
    DRY_RUN,
    READING,
    REFUSED,
    UPLOADED,
    UPLOADS,
    WAITING,
    Wanted,
)
from yutang.intake.kinds.contracts import Kind
from yutang.intake.kinds.every import KINDS, kind_named
from yutang.intake.kinds.fields import folded
from yutang.intake.kinds.recognising import Recognised, known_to, recognise, refuse_missing, remembered
from yutang.intake.models import Import
from yutang.intake.refused import hidden
from yutang.intake.reports import BadRows, Cancelled, ImportReport
from yutang.kernel.calendars import zone
from yutang.kernel.clock import wall_now
from yutang.kernel.encryption import keyring
from yutang.kernel.errors import BadInput, NotFound, Refused, Unavailable, YutangError
from yutang.kernel.sealed import SealedWriter
from yutang.organisation.contracts import Viewer
from yutang.warehouse.contracts import Warehouse

MOST_BYTES = 200_000_000
KEPT = timedelta(hours=24)
"""For so long a file that nobody imports is kept."""
ORPHANED = timedelta(hours=1)
"""The longest that an upload takes, with room to spare: a file older than that without a row is nobody's."""
SHOWN_ROWS = 5
TRIES = 3
MOST_STRANGE = 200
"""So many codes of unknown stores are told."""
_CONTEXT, _REPORT = "import.upload", "import.report"
_TOKEN = re.compile(r"[0-9a-f]{32}")
_BEFORE = (UPLOADED, DRY_RUN, REFUSED)
"""States in which an upload waits for its owner's word."""


@dataclass(frozen=True, slots=True)
class Wish:
    """How the owner of an upload wants it read; a field with neither a column nor a constant is not there."""

    mapping: Mapping[str, str] = field(default_factory=dict)
    constants: Mapping[str, str] = field(default_factory=dict)
    zone: str = ""
    corp: str = ""
    skip_bad: bool = False
    dry_run: bool = True


@dataclass(frozen=True, slots=True)
class Glance:
    """The first rows of a file, what is personal masked; `columns` as they stand there."""

    columns: tuple[str, ...]
    rows: tuple[tuple[int, tuple[str, ...]], ...]
    header: int
    sheet: str
    encoding: str
    format: str


@dataclass(frozen=True, slots=True)
class ImportShown:
    """An import as headquarters sees it. `open`: its file waits for a word; `busy`: something is being done about it.

    `seconds_left` and `rate` (units a second, of the stage) are None where they cannot be told yet.
    """

    id: int
    kind: Kind
    source: str
    name: str
    size: int
    state: str
    open: bool
    author: str
    started_at: datetime
    finished_at: datetime | None
    stage: str
    done: int
    of: int
    rate: float | None
    seconds_left: float | None
    report: Mapping[str, object]
    has_errors: bool
    cancelled: bool
    zh: str
    en: str
    wish: Wish

    @property
    def busy(self) -> bool:
        """Whether it goes on by itself."""
        return self.state in (WAITING, READING, APPENDING)

    @property
    def may_cancel(self) -> bool:
        """Whether nothing of it was kept yet."""
        return self.open or self.state in (WAITING, READING)


def headquarters(viewer: Viewer) -> None:
    """Raise Refused for whoever does not run the whole brand: an import concerns all of it."""
    if not (viewer.may_operate and viewer.sees_all):
        raise Refused("导入涉及整个品牌，只有总部运营能用。", "Imports concern the whole brand; only headquarters may.")


def begin_upload() -> SealedWriter:
    """A new sealed file for what is coming in."""
    return SealedWriter(_path(secrets.token_hex(16)), _CONTEXT)


def keep_upload(viewer: Viewer, written: SealedWriter, name: str, kind: str, source: str) -> int:
    """Keep a file that was written whole; returns the import's id. Raises BadInput, and then keeps nothing of it."""
    headquarters(viewer)
    try:
        found = kind_named(kind)
        if not source.strip() or len(source.strip()) > 20:
            raise BadInput("来源应为 1–20 个字符。", "A source has 1–20 characters.")
        if Path(name).suffix.lower() not in ENDINGS:
            raise BadInput(
                f"不认识这种文件，请上传 {'、'.join(ENDINGS)}。", f"No such file is known; upload {', '.join(ENDINGS)}."
            )
        file = SealedFile(written.path, name[:200], written.size, _CONTEXT)
        glance = _look(found, file)
        row = Import.objects.create(
            kind=found.name, source=source.strip(), state=UPLOADED, author=viewer.name, name=file.name,
            size=file.size, upload=written.path.stem, glance=json.dumps(asdict(glance), ensure_ascii=False),
            wish=json.dumps(asdict(Wish())), digest="",
        )  # fmt: skip
    except BaseException:
        written.discard()
        raise
    return int(row.pk)


def _look(kind: Kind, file: SealedFile) -> Glance:
    names = known_to(kind, {})
    source = open_source(file, None, lambda name: folded(name) in names)
    rows: list[tuple[int, tuple[str, ...]]] = []
    for numbers, batch in map(filled, source.read(source.columns)):
        some = batch.slice(0, SHOWN_ROWS - len(rows)).to_pylist()
        cells = (tuple("" if value is None else str(value)[:80] for value in row.values()) for row in some)
        rows += zip(numbers.tolist(), cells)  # noqa: B905  # the first of many numbers
        if len(rows) >= SHOWN_ROWS:
            break
    return Glance(tuple(source.columns), tuple(rows), source.header, source.sheet, source.encoding, source.format)


def glance(viewer: Viewer, import_id: int, clear: Collection[str] = ()) -> Glance:
    """The first rows of an upload, each cell masked but for the columns in `clear`: any other may hold a name."""
    headquarters(viewer)
    given = json.loads(_row(import_id).glance or "{}")
    if not given:
        raise NotFound("这个文件已经不在了，请重新上传。", "The file is gone; upload it again.")
    columns = tuple(given["columns"])
    rows = tuple(
        (int(row), tuple(cell if name in clear else hidden(cell) for name, cell in zip(columns, cells, strict=True)))
        for row, cells in given["rows"]
    )
    return Glance(columns, rows, given["header"], given["sheet"], given["encoding"], given["format"])


def proposed(viewer: Viewer, import_id: int, wish: Wish) -> Recognised:
    """Which column is which as things stand: said, remembered, or told by its name."""
    headquarters(viewer)
    row = _row(import_id)
    kind, columns = kind_named(row.kind), json.loads(row.glance or "{}").get("columns", [])
    last = remembered(kind, row.source, columns)
    return recognise(kind, columns, wish.mapping, wish.constants, last, guess=not wish.mapping)


def start(viewer: Viewer, import_id: int, wish: Wish) -> None:
    """Have an upload checked (`dry_run`) or imported, in the background. Raises BadInput for a wish that cannot be,
    and Refused where it is being done already."""
    headquarters(viewer)
    row = _row(import_id)
    if row.state not in _BEFORE or not row.upload:
        raise _begun()
    kind, columns = kind_named(row.kind), json.loads(row.glance or "{}").get("columns", [])
    if wish.zone:
        zone(wish.zone)
    found = recognise(kind, columns, wish.mapping, wish.constants, {}, guess=False)
    refuse_missing(kind, columns, found, wish.constants)
    taken = Import.objects.filter(pk=import_id, state__in=_BEFORE).exclude(upload="").update(
        state=WAITING, wish=json.dumps(asdict(wish), ensure_ascii=False), stage="", done=0, of=0, report=None,
        said_zh="", said_en="", cancelled=False, finished_at=None, tries=0,
    )  # fmt: skip
    if not taken:
        raise _begun()


def _begun() -> Refused:
    return Refused("这个导入已经开始或已经结束。", "This import has begun already, or is over.")


def cancel(viewer: Viewer, import_id: int) -> None:
    """Cancel an import of which nothing was kept yet, and remove its file. Raises Refused for one that is past that."""
    headquarters(viewer)
    row = _row(import_id)
    with transaction.atomic():
        waits = Q(state__in=(*_BEFORE, WAITING)) & ~Q(upload="")
        ended = Import.objects.filter(waits, pk=import_id).update(
            state=CANCELLED, finished_at=wall_now(), upload="", glance=None
        )
        told = ended or Import.objects.filter(pk=import_id, state=READING).update(cancelled=True)
    if not told:
        raise Refused("已经开始入库或已经结束，不能取消。", "It is past cancelling: it is being kept, or over.")
    if ended:
        _forget_file(row.upload)


def shown(viewer: Viewer, import_id: int) -> ImportShown:
    """One import. Raises NotFound."""
    headquarters(viewer)
    return _shown(_row(import_id))


def listed(viewer: Viewer, offset: int, limit: int) -> tuple[list[ImportShown], int]:
    """Imports by shell and console, the newest first, and how many there are."""
    headquarters(viewer)
    rows = Import.objects.filter(kind__in=tuple(KINDS)).order_by("-pk")
    return [_shown(row) for row in rows[offset : offset + limit]], rows.count()


def error_file(viewer: Viewer, import_id: int) -> Path:
    """The file in which every bad row of an import stands. Raises NotFound where there is none."""
    headquarters(viewer)
    path = _errors(_row(import_id).pk)
    if not path.is_file():
        raise NotFound("这个导入没有错误文件。", "This import has no error file.")
    return path


def turn(warehouse: Warehouse) -> bool:
    """Do the next thing that an upload waits for; whether there was any. Another import at work is left alone."""
    if not Import.objects.filter(state__in=(WAITING, READING, APPENDING)).exists():
        return False
    try:
        with imports.importing(patience=0.0) as held, full_disk_is_said():
            resumed = imports.finish_begun(warehouse)
            row = Import.objects.filter(state=WAITING).exclude(upload="").order_by("pk").first()
            if row is None:
                return bool(resumed)
            if row.tries >= TRIES:  # a file on which the house dies is not let at it for ever
                _end(row, _deadly())
                return True
            Import.objects.filter(pk=row.pk).update(tries=row.tries + 1)
            wish = _wish(row)
            file = SealedFile(_path(row.upload), row.name or "", row.size, _CONTEXT)
            wanted = Wanted(
                row.source, wish.mapping, wish.constants, wish.zone or None, None, wish.corp, False, wish.dry_run,
                wish.skip_bad, row.author, guess=False,
            )  # fmt: skip
            try:
                report = imports.carry_out(
                    warehouse, kind_named(row.kind), file, wanted, held, lambda stage, done, of: None, row.pk
                )
            except OperationalError:  # the store, not the file: the disk is full, or another writes for too long
                raise
            except Exception as error:  # whatever a file does to its reader, it must not be read for ever
                _end(row, error)
                raise
            Import.objects.filter(pk=row.pk).update(report=_told(report))
            if not wish.dry_run:
                _over(row)
    except Unavailable:
        return False
    except YutangError:
        return True  # its row says it
    return True


def _deadly() -> YutangError:
    return YutangError(
        f"读这个文件时程序中断了 {TRIES} 次，没有再试；请拆成几份，或另存为 CSV。",
        f"The program ended {TRIES} times while it read this file, and did not try again; split it, or save it as CSV.",
    )


def _end(row: Import, error: Exception) -> None:
    """Note in its row why an import was not done."""
    if isinstance(error, Cancelled):
        _over(row)
        return
    zh, en = (
        (error.zh, error.en) if isinstance(error, YutangError) else ("文件读不出来了。", "The file cannot be read.")
    )
    if isinstance(error, BadRows):  # the page shows the file, not where it lies
        zh = f"{error.report.rows:,} 行中有 {error.report.refused:,} 行不能导入，因此什么都没有导入。"
        en = f"{error.report.refused:,} of {error.report.rows:,} rows cannot be used, so nothing was imported."
    report = _told(error.report) if isinstance(error, BadRows) else None
    Import.objects.filter(pk=row.pk).exclude(state__in=(APPENDING, DONE)).update(
        state=REFUSED, finished_at=wall_now(), said_zh=zh, said_en=en, report=report
    )


def _told(report: ImportReport) -> dict[str, object]:
    told = {
        one.name: list(value) if isinstance(value := getattr(report, one.name), tuple) else value
        for one in fields(report)
        if one.name not in ("error_file", "import_id")
    }
    # Where the wrong column was taken for the store's, these are phones.
    strange = json.dumps(report.unknown_stores[:MOST_STRANGE], ensure_ascii=False)
    return {**told, "unknown_stores": keyring().seal_text(strange, _REPORT) if report.unknown_stores else ""}


def _report(row: Import) -> Mapping[str, object]:
    """What became of it; of one by shell, or that another start finished, only what its row says."""
    if not row.report:
        done = row.state in (APPENDING, DONE)
        return {"rows": row.rows, "accepted": row.accepted, "refused": row.refused} if done else {}
    sealed = str(row.report.get("unknown_stores") or "")
    return {**row.report, "unknown_stores": json.loads(keyring().open_text(sealed)) if sealed else []}


def _over(row: Import) -> None:
    """An upload's file is not needed any more."""
    Import.objects.filter(pk=row.pk).update(upload="", glance=None)
    _forget_file(row.upload)


def forget_old_uploads() -> None:
    """Remove files that nobody imported for a day, and what is left of uploads that broke off."""
    old = Q(state__in=(DONE, CANCELLED)) | Q(state__in=_BEFORE, started_at__lt=wall_now() - KEPT)
    for row in Import.objects.filter(old).exclude(upload=""):
        _over(row)
    needed = set(Import.objects.exclude(upload="").values_list("upload", flat=True))
    folder = imports.directory() / UPLOADS
    for path in folder.iterdir() if folder.is_dir() else ():
        age = wall_now().timestamp() - path.stat().st_mtime
        if path.stem not in needed and age > ORPHANED.total_seconds():
            path.unlink(missing_ok=True)


def _row(import_id: int) -> Import:
    row = Import.objects.filter(pk=import_id, kind__in=tuple(KINDS)).first()
    if row is None:
        raise NotFound("没有这个导入。", "There is no such import.")
    return row


def _wish(row: Import) -> Wish:
    return Wish(**json.loads(row.wish)) if row.wish else Wish()


def _path(token: str) -> Path:
    if not _TOKEN.fullmatch(token):
        raise NotFound("没有这个文件。", "There is no such file.")
    return imports.directory() / UPLOADS / f"{token}.sealed"


def _forget_file(token: str) -> None:
    if token:
        _path(token).unlink(missing_ok=True)


def _errors(import_id: int) -> Path:
    return imports.directory() / f"{import_id}-errors.csv"


def _shown(row: Import) -> ImportShown:
    rate = left = None
    if row.stage_at is not None and row.done:
        seconds = max((wall_now() - row.stage_at).total_seconds(), 0.001)
        rate = row.done / seconds
        left = max(row.of - row.done, 0) / rate
    return ImportShown(
        row.pk, kind_named(row.kind), row.source, row.name or "", row.size, row.state,
        bool(row.upload) and row.state in _BEFORE, row.author, row.started_at, row.finished_at, row.stage, row.done,
        row.of, rate, left, _report(row), bool(row.refused or row.report) and _errors(row.pk).is_file(),
        row.cancelled, row.said_zh, row.said_en, _wish(row),
    )  # fmt: skip
