"""The second door: files of orders, events, and lists of people.

A file is read and checked whole, and immutable chunk files are written (pseudonyms or sealed), before anything of it is
kept; then its persons and its state are kept in one transaction, and each chunk is appended with its marker in one
warehouse transaction. Killed before that, an import is as if it had never been; killed later, `resume` finishes it.
Importing a file again changes nothing: an order's event id is `order:<source>:<order id>`, any other's is made of what
it says.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from django.conf import settings
from django.db import transaction

from yutang.intake import eventfiles, listfiles, orders
from yutang.intake.append import append_statements
from yutang.intake.columns import apply_facts, distinct, group_of, incoming, known, persons_of
from yutang.intake.files.contracts import BLOCK_ROWS, Rows, Source
from yutang.intake.files.opening import Given, ahead, digest, filled, full_disk_is_said, open_source
from yutang.intake.invites import INVITES, invite_statements, invites_of
from yutang.intake.kinds.contracts import Context, Kind
from yutang.intake.kinds.every import kind_named
from yutang.intake.kinds.fields import folded
from yutang.intake.kinds.recognising import (
    GUESSED,
    Recognised,
    known_to,
    recognise,
    refuse_missing,
    remember,
    remembered,
)
from yutang.intake.lease import Held, lease
from yutang.intake.mirror import LEASE as PUMP_LEASE
from yutang.intake.mirror import PATIENCE, mirror_changed
from yutang.intake.models import Import
from yutang.intake.refused import RefusedRows
from yutang.intake.reports import BadRows as BadRows
from yutang.intake.reports import Cancelled, ImportReport, Progress
from yutang.intake.turned_away import nobodys, turn_away
from yutang.kernel.clock import business_now, monotonic, wall_now
from yutang.kernel.errors import BadInput, Unavailable
from yutang.kernel.failpoints import failpoint
from yutang.kernel.sealed import frames
from yutang.log.contracts import Envelope, Event, IdentifierValue
from yutang.log.queries import head
from yutang.log.services import columns as opened
from yutang.log.services import hold_inbox, seal
from yutang.organisation.queries import brand, brand_or_presumed, corps
from yutang.people import queries, services
from yutang.people.contracts import TIMESTAMP
from yutang.people.shunned import count_turned_away
from yutang.warehouse.contracts import Statement, Warehouse

LEASE = "import"
UPLOADED, WAITING, READING, APPENDING, DONE, DRY_RUN, REFUSED, ABANDONED, CANCELLED = (
    "uploaded",
    "waiting",
    "reading",
    "appending",
    "done",
    "dry_run",
    "refused",
    "abandoned",
    "cancelled",
)
_COMPRESSED = pa.ipc.IpcWriteOptions(compression="lz4")
_OF_CORP = ("external_userid", "openid")


@dataclass(frozen=True, slots=True)
class Wanted:
    """How a file is to be read: whose numbers it bears, which of its columns is which, which values hold for all of
    it, in which zone its times are."""

    source: str
    mapping: Mapping[str, str] = field(default_factory=dict)
    constants: Mapping[str, str] = field(default_factory=dict)
    zone: str | None = None
    encoding: str | None = None
    corp: str = ""
    synthetic: bool = False
    dry_run: bool = False
    skip_bad: bool = False
    author: str = ""
    guess: bool = True


@dataclass(frozen=True, slots=True)
class Reading:
    """A file that is being read: its blocks (rows, columns by field), and where what is wrong with it is noted."""

    here: Path
    blocks: Iterator[tuple[Rows, dict[str, pa.Array]]]
    source: Source
    wanted: Wanted
    as_of: datetime
    refused: RefusedRows


def import_file(
    warehouse: Warehouse, kind: str, given: Given, *, source: str, mapping: Mapping[str, str] | None = None,
    constants: Mapping[str, str] | None = None, corp: str = "", zone: str | None = None, encoding: str | None = None,
    dry_run: bool = False, skip_bad: bool = False, author: str = "", synthetic: bool = False,
    progress: Progress | None = None,
) -> ImportReport:  # fmt: skip
    """Import a file of that kind (`kinds.every.KINDS`).

    `source` (≤ 20 characters) is whose order and member numbers these are, `corp` the namespace of external_userids
    and openids (default: the one corp that is connected). `mapping` says which column is which field; where it says
    nothing, what was accepted last for such a file counts, then the columns' names. `constants` are values that hold
    for the whole file. Times without a zone are local to `zone` (default: the brand's). Raises BadRows unless
    `skip_bad`. `progress(stage, done, of)` is called now and then. Another import at work is waited for; then this one
    is refused.
    """
    wanted = Wanted(
        source, mapping or {}, constants or {}, zone, encoding, corp, synthetic, dry_run, skip_bad, author
    )  # fmt: skip
    started = monotonic()
    with importing() as held, full_disk_is_said():
        finish_begun(warehouse)
        report = carry_out(warehouse, kind_named(kind), given, wanted, held, progress or _silent)
    return replace(report, seconds=monotonic() - started)


def import_orders(
    warehouse: Warehouse, given: Given, *, source: str, mapping: Mapping[str, str] | None = None,
    zone: str | None = None, encoding: str | None = None, dry_run: bool = False, skip_bad: bool = False,
    author: str = "", synthetic: bool = False, progress: Progress | None = None,
) -> ImportReport:  # fmt: skip
    """Import order lines: one row is a line; lines of one order may stand anywhere in the file.

    A row whose quantity and amount are both negative is a refund. An order of which a row is bad is left out whole.
    """
    return import_file(
        warehouse, "orders", given, source=source, mapping=mapping, zone=zone, encoding=encoding, dry_run=dry_run,
        skip_bad=skip_bad, author=author, synthetic=synthetic, progress=progress,
    )  # fmt: skip


def import_events(
    warehouse: Warehouse, given: Given, *, source: str, corp: str = "", mapping: Mapping[str, str] | None = None,
    zone: str | None = None, encoding: str | None = None, dry_run: bool = False, skip_bad: bool = False,
    author: str = "", synthetic: bool = False, progress: Progress | None = None,
) -> ImportReport:  # fmt: skip
    """Import events of the vocabulary: one row is one event, its props columns of their own names."""
    return import_file(
        warehouse, "events", given, source=source, corp=corp, mapping=mapping, zone=zone, encoding=encoding,
        dry_run=dry_run, skip_bad=skip_bad, author=author, synthetic=synthetic, progress=progress,
    )  # fmt: skip


def resume(warehouse: Warehouse) -> int:
    """Finish imports that were interrupted while appending, and clear away those that had kept nothing yet."""
    with importing(), full_disk_is_said():
        return finish_begun(warehouse)


@contextmanager
def importing(patience: float = PATIENCE) -> Iterator[Held]:
    """Hold the door: one file at a time. Raises Unavailable, saying so, where another is at work for longer."""
    try:
        with lease(LEASE, patience) as held:
            yield held
    except Unavailable as error:
        if LEASE not in error.en:
            raise
        raise Unavailable(
            "另一个文件正在导入，请等它完成后再导入。",
            "Another file is being imported; import this one when that is done.",
        ) from error


def anything_came(warehouse: Warehouse) -> bool:
    """Whether any event ever came through either door."""
    if head() > 0 or Import.objects.filter(state=APPENDING).exists():
        return True
    there = Statement("SELECT EXISTS (SELECT 1 FROM events)", name="intake/anything_came")
    return bool(warehouse.query(there).column(0)[0].as_py())


def unfinished() -> bool:
    """Whether an import is to be finished whose persons were looked up already."""
    return Import.objects.filter(state=APPENDING).exists()


@contextmanager
def doors_shut(patience: float = 5.0) -> Iterator[None]:
    """A transaction during which nothing comes through either door. Raises Unavailable while a file is imported."""
    with lease(LEASE, patience), transaction.atomic():
        hold_inbox()
        yield


UPLOADS = "uploads"


def _silent(stage: str, done: int, of: int) -> None:
    """Nobody wants to know how far it is."""


def directory(import_id: int | None = None) -> Path:
    """Where imports keep their chunk files and error files, or one import its chunk files."""
    root = Path(settings.DATA) / "imports"
    return root if import_id is None else root / str(import_id)


def sealed_by(marks: Sequence[bytes]) -> int:
    """How many files of unfinished imports begin with one of these marks. Whoever goes on with them needs that key."""
    found = 0
    for path in directory().glob("*/chunk-*.sealed"):
        with suppress(FileNotFoundError), path.open("rb") as file:  # it was finished meanwhile
            found += file.read(16).startswith(tuple(marks))
    for path in directory().glob(f"{UPLOADS}/*.sealed"):
        with suppress(FileNotFoundError):
            found += any(frame.startswith(tuple(marks)) for frame in frames(path))
    return found


def finish_begun(warehouse: Warehouse) -> int:
    """What `resume` does, under the lease that the caller holds."""
    for left in Import.objects.filter(state=READING):
        shutil.rmtree(directory(left.pk), ignore_errors=True)
        state = {"state": WAITING} if left.upload else {"state": ABANDONED, "finished_at": wall_now()}
        Import.objects.filter(pk=left.pk).update(**state)
    begun = list(Import.objects.filter(state=APPENDING).order_by("pk"))
    wanted = {str(row.pk) for row in begun} | {UPLOADS}
    for path in directory().iterdir() if directory().is_dir() else ():
        if path.is_dir() and path.name not in wanted:  # killed between its last word and its clearing away
            shutil.rmtree(path, ignore_errors=True)
    for row in begun:
        _append_chunks(warehouse, row, _noted(row.pk, _silent))
    return len(begun)


def carry_out(
    warehouse: Warehouse, kind: Kind, given: Given, wanted: Wanted, held: Held, progress: Progress,
    row_id: int | None = None,
) -> ImportReport:  # fmt: skip
    """Read a file and append it, under the lease; `row_id` is the row of an upload, else one is made. Leaves the row
    refused or cancelled where it raises."""
    if not wanted.source or len(wanted.source) > 20:
        raise BadInput("来源应为 1–20 个字符。", "A source has 1–20 characters.")
    source, found = look(kind, given, wanted)
    refuse_missing(kind, source.columns, found, wanted.constants)
    wanted = replace(wanted, corp=_corp(wanted.corp, found))
    sum_ = digest(given)
    as_of = _as_of(kind, wanted.source, sum_)
    told = {"digest": sum_, "mapping": dict(found.columns), "as_of": as_of, "state": READING, "author": wanted.author}
    if row_id is None:
        row_id = Import.objects.create(kind=kind.name, source=wanted.source, name=_name(given), **told).pk
    elif not Import.objects.filter(pk=row_id, state=WAITING).update(**told):
        raise Cancelled  # while it was looked at
    failpoint("import.after_started")
    reader = _reader(kind)
    progress = _noted(row_id, progress)
    here = directory(row_id)
    try:
        here.mkdir(parents=True)
        report = _read(reader, row_id, here, source, found, wanted, as_of, held, progress)
    except BaseException as error:
        if not Import.objects.filter(pk=row_id, state=APPENDING).exists():  # what is sealed will be finished
            shutil.rmtree(here, ignore_errors=True)
            state = CANCELLED if isinstance(error, Cancelled) else REFUSED
            Import.objects.filter(pk=row_id).update(state=state, finished_at=wall_now())
        raise
    report = replace(
        report, columns=found.columns, header=source.header, sheet=source.sheet, encoding=source.encoding,
        guessed=tuple(name for name, how in found.how.items() if how == GUESSED),
    )  # fmt: skip
    if wanted.dry_run:
        return report
    if sum_:
        remember(kind, wanted.source, source.columns, found.columns)
    held.renew()
    return _finish(warehouse, report, progress, held)


def look(kind: Kind, given: Given, wanted: Wanted) -> tuple[Source, Recognised]:
    """Open a file and see which of its columns is which. Raises BadInput."""
    names = known_to(kind, wanted.mapping)
    source = open_source(given, wanted.encoding, lambda name: folded(name) in names)
    last = remembered(kind, wanted.source, source.columns)
    return source, recognise(kind, source.columns, wanted.mapping, wanted.constants, last, guess=wanted.guess)


def _corp(said: str, found: Recognised) -> str:
    """The namespace of the file's external_userids, where it has any and nobody said: of the one corp connected."""
    if said or not any(name in found.columns for name in _OF_CORP):
        return said
    known_corps = {one.corp for one in corps()}
    if len(known_corps) == 1:
        return known_corps.pop()
    raise BadInput(
        "文件里有外部联系人，请说明属于哪个企业（--corp）。",
        "The file has external_userids; say of which corp they are (--corp).",
    )


def _as_of(kind: Kind, source: str, sum_: str) -> datetime:
    """When what carries no time of its own was said: when the same file was first imported, else now. So a file that
    is imported again says the same again."""
    before = (
        Import.objects.filter(
            kind=kind.name, source=source, digest=sum_, state__in=(APPENDING, DONE), as_of__isnull=False
        ).order_by("pk")
        if sum_
        else Import.objects.none()
    )
    first = before.values_list("as_of", flat=True).first()
    return first if first is not None else business_now().replace(microsecond=0)


def _name(given: Given) -> str:
    return "" if isinstance(given, pa.RecordBatchReader) else given.name


def _noted(import_id: int, told: Progress) -> Progress:
    """Progress that is kept in the import's row too, about once a second, and that ends a cancelled import."""
    last: list[object] = ["", 0.0]

    def progress(stage: str, done: int, of: int) -> None:
        told(stage, done, of)
        if stage == last[0] and monotonic() - float(str(last[1])) < 1 and done < of:
            return
        now: dict[str, object] = {"stage": stage, "done": done, "of": of}
        if stage != last[0]:
            now["stage_at"] = wall_now()
        last[:] = [stage, monotonic()]
        Import.objects.filter(pk=import_id).update(**now)
        if stage != "appending" and Import.objects.filter(pk=import_id, cancelled=True).exists():
            raise Cancelled

    return progress


def _read(
    reader: _Orders | _Events, import_id: int, here: Path, source: Source, found: Recognised, wanted: Wanted,
    as_of: datetime, held: Held, progress: Progress,
) -> ImportReport:  # fmt: skip
    """Read and check the whole file; if it may stand, resolve identity and write the chunk files."""
    error_file = directory() / f"{import_id}-errors.csv"
    with RefusedRows(error_file) as refused:
        blocks = _blocks(source, found.columns, wanted.constants, held, progress)
        rows = reader.read(Reading(here, blocks, source, wanted, as_of, refused))
        for broken in source.broken:
            refused.add(broken.row, "", "", broken.zh, broken.en)
        failpoint("import.after_spill")
        reader.check(refused)
    rows += len(source.broken)
    bad = len(refused.rows)
    report = ImportReport(
        import_id, rows, rows - bad, bad, error_file=error_file if bad else None, dry_run=wanted.dry_run
    )
    if bad and not wanted.skip_bad and not wanted.dry_run and refused.first is not None:
        raise BadRows(replace(report, accepted=0), refused.first)
    in_pond, new = queries.known_and_new(reader.persons_named(wanted))
    report = replace(report, persons=in_pond + new, persons_known=in_pond, persons_new=new)
    if wanted.dry_run:
        shutil.rmtree(here)
        Import.objects.filter(pk=import_id).update(state=DRY_RUN, rows=rows, refused=bad, finished_at=wall_now())
        return report
    held.renew()
    report = reader.write(here, wanted, report, progress)
    held.renew()
    with transaction.atomic():  # from here on the import will be finished; until here it leaves no trace
        reader.seal(here, wanted)
        failpoint("import.after_identity")
        sealed = Import.objects.filter(pk=import_id, cancelled=False).update(
            state=APPENDING, rows=rows, accepted=report.accepted, refused=bad, chunks=report.chunks
        )
        if not sealed:
            raise Cancelled
    failpoint("import.after_sealed")
    return report


def _blocks(
    source: Source, columns: Mapping[str, str], constants: Mapping[str, str], held: Held, progress: Progress
) -> Iterator[tuple[Rows, dict[str, pa.Array]]]:
    done = 0
    renewed = monotonic()
    for block in ahead(source.read(list(dict.fromkeys(columns.values())))):
        rows, batch = filled(block)
        same = {name: pa.repeat(pa.scalar(value), len(rows)) for name, value in constants.items()}
        yield rows, {name: batch.column(column) for name, column in columns.items()} | same
        done += len(rows)
        progress("reading", done, max(source.rows, done))
        if monotonic() - renewed > 10:
            held.renew()
            renewed = monotonic()


def _finish(warehouse: Warehouse, report: ImportReport, progress: Progress, held: Held) -> ImportReport:
    _append_chunks(warehouse, Import.objects.get(pk=report.import_id), progress, held)
    statement = Statement("SELECT count(*) FROM events WHERE import_id = $id", {"id": report.import_id})
    fresh = int(warehouse.query(statement).column(0)[0].as_py())
    return replace(report, already_there=report.events - fresh)


def _append_chunks(warehouse: Warehouse, row: Import, progress: Progress, mine: Held | None = None) -> None:
    """Append every chunk that does not stand yet, then tell the warehouse of the persons, then clear away."""
    here = directory(row.pk)
    tables = _Orders.tables if row.kind == "orders" else _Events.tables
    for chunk in range(row.chunks):
        if mine is not None:
            mine.renew()
        table, lines, invites, turned_away = tables(here, chunk)
        marker = {"id": row.pk, "chunk": chunk}
        count = {"rows": table.num_rows, "at": wall_now()}
        wrote = warehouse.write(
            [
                *append_statements(table, lines, import_id=row.pk),
                *invite_statements(invites),
                Statement("INSERT INTO import_chunks VALUES ($id, $chunk, $rows, $at)", {**marker, **count}),
            ],
            unless=Statement(
                "SELECT EXISTS (SELECT 1 FROM import_chunks WHERE import_id = $id AND chunk = $chunk)", marker
            ),
        )
        failpoint("import.after_append")
        if wrote:
            count_turned_away(*turned_away)
        Import.objects.filter(pk=row.pk).update(chunks_done=chunk + 1)
        failpoint("import.after_chunk_done")
        progress("appending", chunk + 1, row.chunks)
    with lease(PUMP_LEASE, PATIENCE) as held:
        while mirror_changed(warehouse, held):
            held.renew()
    Import.objects.filter(pk=row.pk).update(state=DONE, finished_at=wall_now())
    failpoint("import.after_done")
    shutil.rmtree(here, ignore_errors=True)


@contextmanager
def _durable(path: Path) -> Iterator[BinaryIO]:
    """A file that stands on the disk once this is left: the import's state will say that it does."""
    with path.open("wb") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())


class _Orders:
    """How a file of order lines is read."""

    def __init__(self) -> None:
        self._persons = orders.Persons()
        self._refused_orders: set[str] = set()
        self._used: set[int] = set()
        self._paths: list[Path] = []

    def read(self, reading: Reading) -> int:
        """Spill the blocks; returns how many rows there were."""
        count = 0
        facts = brand_or_presumed()
        zone = reading.wanted.zone or facts.zone
        with orders.Spill(reading.here, reading.source.rows) as spill:
            for rows, columns in reading.blocks:
                batch, left_out = orders.check_block(
                    rows, columns, zone, facts.currency, self._persons, reading.refused
                )
                self._refused_orders.update(left_out.to_pylist())
                spill.add(batch)
                count += len(rows)
        self._paths = spill.paths
        return count

    def check(self, refused: RefusedRows) -> None:
        """Check whole orders, and see who is left."""
        for path in self._paths:
            table, left_out = orders.load(path, self._refused_orders)
            self._leave_out(left_out, refused)
            contradicted = orders.check_orders(table, refused)
            if contradicted:
                self._refused_orders |= contradicted
                out = pc.is_in(table["order_id"], pa.array(contradicted))
                self._leave_out(table.filter(out), refused)
                table = table.filter(pc.invert(out))
            self._used.update(pc.unique(table["person"]).to_pylist())

    def _leave_out(self, rows: pa.Table, refused: RefusedRows) -> None:
        for row in set(rows["row"].to_pylist()) - refused.rows:
            refused.add(row, "order_id", "", "同一订单的另一行不能导入", "another row of the same order cannot be used")

    def persons_named(self, wanted: Wanted) -> list[tuple[IdentifierValue, ...]]:
        """The identifiers of each person of the accepted rows."""
        pairs = enumerate(self._persons.pairs())
        return [_group(*pair, wanted.source) for code, pair in pairs if code in self._used]

    def write(self, here: Path, wanted: Wanted, report: ImportReport, progress: Progress) -> ImportReport:
        """Write the chunk files; their persons are still numbers into this file's own list."""
        codes = known()
        meaning = orders.Meaning(
            codes.stores,
            wanted.source,
            brand().currency,
            pa.scalar(wall_now().replace(tzinfo=None), TIMESTAMP),
            wanted.synthetic,
        )
        unknown: set[str] = set()

        def build(chunk: int) -> tuple[int, list[str]]:
            table, _ = orders.load(self._paths[chunk], self._refused_orders)
            events, lines = orders.build(table, meaning)
            for name, part in (("events", events), ("lines", lines)):
                path = here / f"chunk-{chunk}-{name}.arrow"
                with _durable(path) as file, pa.ipc.new_file(file, part.schema, options=_COMPRESSED) as writer:
                    writer.write_table(part, max_chunksize=BLOCK_ROWS)
            return events.num_rows, list(orders.unknown_stores(table, codes.stores))

        with ThreadPoolExecutor(2) as pool:  # Arrow and NumPy leave the interpreter to the other meanwhile
            for chunk, (events, strange) in enumerate(pool.map(build, range(len(self._paths)))):
                unknown.update(strange)
                failpoint("import.after_chunk_file")
                self._paths[chunk].unlink()
                report = replace(report, events=report.events + events)
                progress("writing", chunk + 1, len(self._paths))
        return replace(report, chunks=len(self._paths), unknown_stores=tuple(sorted(unknown)))

    def seal(self, here: Path, wanted: Wanted) -> None:
        """Make the persons of the file, and keep beside the chunks who they are; in the caller's transaction."""
        named = [(code, pair) for code, pair in enumerate(self._persons.pairs()) if code in self._used]
        seen = [datetime.fromtimestamp(self._persons.born[code] / 1_000_000, UTC) for code, _ in named]
        births = services.birth_persons(
            [_group(*pair, wanted.source) for _, pair in named], seen_at=seen, synthetic=wanted.synthetic
        )
        names = self._persons.names
        services.name_persons(
            {
                birth: (names[code], at)
                for (code, _), birth, at in zip(named, births, seen, strict=True)
                if code in names and birth
            }
        )
        of_code = np.zeros(len(self._persons), dtype=np.int64)
        of_code[[code for code, _ in named]] = births
        with _durable(here / "persons.npy") as file:
            np.save(file, of_code)

    @staticmethod
    def tables(here: Path, chunk: int) -> tuple[pa.Table, pa.Table, pa.Table, tuple[int, int]]:
        """A chunk as INCOMING, LINES, INVITES; and how much came of erased persons: dropped, kept as nobody's."""
        births = np.load(here / "persons.npy")
        events, lines = (_whole(here / f"chunk-{chunk}-{name}.arrow") for name in ("events", "lines"))
        found = births[events["person"].to_numpy()]
        if not found.all():  # some were erased: their orders are nobody's
            events = nobodys(events, found == 0)
        place = events.schema.get_field_index("person")
        persons = pa.array(found, pa.int64(), mask=found == 0)
        return events.set_column(place, "person", persons), lines, INVITES.empty_table(), (0, persons.null_count)


def _whole(path: Path) -> pa.Table:
    """A chunk file's table. Arrow's own format: it is written once and read once, and Parquet is twice as dear."""
    with pa.memory_map(str(path)) as file:
        return pa.ipc.open_file(file).read_all()


def _reader(kind: Kind) -> _Orders | _Events:
    return _Orders() if kind.name == "orders" else _Events(kind)


def _group(member: str, phone: str, source: str) -> tuple[IdentifierValue, ...]:
    both = (IdentifierValue("member", source, member), IdentifierValue("phone", "", phone))
    return tuple(one for one in both if one.value)


class _Events:
    """How a file is read whose rows are events, or come to some."""

    def __init__(self, kind: Kind) -> None:
        self._kind = kind
        self._context: Context | None = None
        self._path = Path()
        self._named: set[tuple[IdentifierValue, ...]] = set()

    def read(self, reading: Reading) -> int:
        """Spill the blocks' events; returns how many rows there were."""
        count = 0
        self._path = reading.here / "spill.sealed"
        with eventfiles.EventSpill(self._path) as spill:
            for rows, columns in reading.blocks:
                events = self._events(rows, columns, reading)
                self._named.update(group_of(event) for event in events if event.identifiers)
                spill.add(events)
                count += len(rows)
        return count

    def _events(self, rows: Rows, columns: dict[str, pa.Array], reading: Reading) -> list[Event]:
        wanted, facts = reading.wanted, brand_or_presumed()
        zone = wanted.zone or facts.zone
        if self._kind.tell is None:
            return eventfiles.events_of(
                rows, columns, zone=zone, source=wanted.source, corp=wanted.corp, currency=facts.currency,
                synthetic=wanted.synthetic, refused=reading.refused,
            )  # fmt: skip
        if self._context is None:
            codes = known()
            self._context = Context(facts, frozenset(codes.stores), frozenset(codes.senders), reading.as_of)
        return listfiles.events_of(
            rows, columns, self._kind, self._context, zone=zone, source=wanted.source, corp=wanted.corp,
            synthetic=wanted.synthetic, refused=reading.refused,
        )  # fmt: skip

    def check(self, refused: RefusedRows) -> None:
        """Events stand alone: nothing is left to check between them."""

    def persons_named(self, wanted: Wanted) -> set[tuple[IdentifierValue, ...]]:
        """The groups of identifiers by which the accepted events name somebody."""
        return self._named

    def write(self, here: Path, wanted: Wanted, report: ImportReport, progress: Progress) -> ImportReport:
        """Give each sealed block a file of its own: a chunk."""
        codes = known()
        unknown: set[str] = set()
        chunks = 0
        for events in eventfiles.load(self._path):
            with _durable(here / f"chunk-{chunks}.sealed") as file:
                file.write(seal(events))
            failpoint("import.after_chunk_file")
            chunks += 1
            unknown.update(listfiles.unknown_stores(events, codes.stores))
            report = replace(report, events=report.events + len(events))
        self._path.unlink()
        return replace(report, chunks=chunks, unknown_stores=tuple(sorted(unknown)))

    def seal(self, here: Path, wanted: Wanted) -> None:
        """Events meet their persons when they are appended, as in the pump."""

    @staticmethod
    def tables(here: Path, chunk: int) -> tuple[pa.Table, pa.Table, pa.Table, tuple[int, int]]:
        """As `_Orders.tables`, its operational facts applied (again does no harm)."""
        codes = known()
        sealed = (here / f"chunk-{chunk}.sealed").read_bytes()
        chosen = distinct(opened([Envelope(wall_now(), sealed)]))
        births = persons_of(chosen)
        failpoint("import.after_persons")
        chosen, births, *turned_away = turn_away(chosen, births)
        apply_facts(chosen, births, codes)
        invites = invites_of(chosen, births)
        failpoint("import.after_identity")
        dropped, nobody = turned_away
        return *incoming(chosen, births, codes), invites, (dropped, nobody)
