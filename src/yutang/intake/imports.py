"""The second door: files of orders and events.

A file is read and checked whole, and immutable chunk files are written (pseudonyms or sealed), before anything of it is
kept; then its persons and its state are kept in one transaction, and each chunk is appended with its marker in one
warehouse transaction. Killed before that, an import is as if it had never been; killed later, `resume` finishes it.
Importing a file again changes nothing: an order's event id is `order:<source>:<order id>`.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
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

from yutang.intake import eventfiles, orders
from yutang.intake.append import append_statements
from yutang.intake.columns import apply_facts, distinct, group_of, incoming, known, persons_of
from yutang.intake.files import BLOCK_ROWS, Rows, Source, ahead, digest, full_disk_is_said, open_source
from yutang.intake.lease import Held, lease
from yutang.intake.mirror import LEASE as PUMP_LEASE
from yutang.intake.mirror import PATIENCE, mirror_changed
from yutang.intake.models import Import
from yutang.intake.refused import RefusedRows
from yutang.kernel.clock import monotonic, wall_now
from yutang.kernel.errors import BadInput
from yutang.kernel.failpoints import failpoint
from yutang.log.contracts import Envelope, IdentifierValue
from yutang.log.queries import head
from yutang.log.services import columns as opened
from yutang.log.services import seal
from yutang.organisation.queries import brand, brand_or_presumed
from yutang.people import queries, services
from yutang.people.contracts import TIMESTAMP
from yutang.warehouse.contracts import Statement, Warehouse

LEASE = "import"
READING, APPENDING, DONE, DRY_RUN, REFUSED, ABANDONED = (
    "reading",
    "appending",
    "done",
    "dry_run",
    "refused",
    "abandoned",
)
Progress = Callable[[str, int, int], None]
_COMPRESSED = pa.ipc.IpcWriteOptions(compression="lz4")


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What became of a file. `rows` = `accepted` + `refused`; `events` is what the accepted rows are (an order is one).

    Of those events `already_there` had come before (a dry run makes none, and says 0 of both). `persons` counts the
    people of the accepted rows: `persons_known` were in the pond before, `persons_new` were not. `chunks` is in how
    many parts the file was appended.
    """

    import_id: int
    rows: int = 0
    accepted: int = 0
    refused: int = 0
    events: int = 0
    already_there: int = 0
    persons: int = 0
    persons_new: int = 0
    persons_known: int = 0
    chunks: int = 0
    unknown_stores: tuple[str, ...] = ()
    seconds: float = 0.0
    error_file: Path | None = None
    dry_run: bool = False


class BadRows(BadInput):
    """Some rows of a file cannot be used, and nothing of it was kept. `report` names the error file."""

    def __init__(self, report: ImportReport, first: tuple[int, str, str, str]) -> None:
        row, column, zh, en = first
        super().__init__(
            f"{report.rows} 行中有 {report.refused} 行不能导入，因此什么都没有导入。第 {row} 行的 {column}：{zh}。"
            f"逐行原因见 {report.error_file}；改正后再导入，或跳过坏行。",
            f"{report.refused} of {report.rows} rows cannot be used, so nothing was imported. "
            f"Row {row}, {column}: {en}. "
            f"Every reason is in {report.error_file}; correct them, or skip bad rows.",
        )
        self.report = report


@dataclass(frozen=True, slots=True)
class Wanted:
    """How a file is to be read: whose numbers it bears, which of its columns is which, in which zone its times are."""

    source: str
    mapping: Mapping[str, str] = field(default_factory=dict)
    zone: str | None = None
    encoding: str | None = None
    corp: str = ""
    synthetic: bool = False
    dry_run: bool = False
    skip_bad: bool = False
    author: str = ""


@dataclass(frozen=True, slots=True)
class Reading:
    """A file that is being read: its blocks (rows, columns by field), and where what is wrong with it is noted."""

    here: Path
    blocks: Iterator[tuple[Rows, dict[str, pa.Array]]]
    source: Source
    wanted: Wanted
    refused: RefusedRows


def import_orders(
    warehouse: Warehouse, given: Path | pa.RecordBatchReader, *, source: str, mapping: Mapping[str, str] | None = None,
    zone: str | None = None, encoding: str | None = None, dry_run: bool = False, skip_bad: bool = False,
    author: str = "", synthetic: bool = False, progress: Progress | None = None,
) -> ImportReport:  # fmt: skip
    """Import order lines: one row is a line; lines of one order may stand anywhere in the file.

    Columns: order_id, placed_at, sku, quantity, amount; member or phone; and if there are store, category, discount,
    name. `mapping` says which column of the file is which of these. `source` (≤ 20 characters) is whose order and
    member numbers these are. Times without a zone are local to `zone` (default: the brand's). A row whose quantity and
    amount are both negative is a refund. Raises BadRows unless `skip_bad`; an order of which a row is bad is left out
    whole. `progress(stage, done, of)` is called now and then.
    """
    wanted = Wanted(source, mapping or {}, zone, encoding, "", synthetic, dry_run, skip_bad, author)
    return _run("orders", _Orders(), warehouse, given, wanted, progress or _silent)


def import_events(
    warehouse: Warehouse, given: Path | pa.RecordBatchReader, *, source: str, corp: str = "",
    mapping: Mapping[str, str] | None = None, zone: str | None = None, encoding: str | None = None,
    dry_run: bool = False, skip_bad: bool = False, author: str = "", synthetic: bool = False,
    progress: Progress | None = None,
) -> ImportReport:  # fmt: skip
    """Import events of the vocabulary: one row is one event, its props columns of their own names.

    Columns: type, occurred_at; at least one identifier (member, external_userid, phone …); and if there are event_id,
    store, staff, channel, amount, currency and any prop. `corp` is the namespace of external_userids.
    """
    wanted = Wanted(source, mapping or {}, zone, encoding, corp, synthetic, dry_run, skip_bad, author)
    return _run("events", _Events(), warehouse, given, wanted, progress or _silent)


def resume(warehouse: Warehouse) -> int:
    """Finish imports that were interrupted while appending, and clear away those that had kept nothing yet."""
    with lease(LEASE, PATIENCE), full_disk_is_said():
        return _resume(warehouse)


def anything_came(warehouse: Warehouse) -> bool:
    """Whether any event ever came through either door."""
    if head() > 0 or Import.objects.filter(state=APPENDING).exists():
        return True
    there = Statement("SELECT EXISTS (SELECT 1 FROM events)", name="intake/anything_came")
    return bool(warehouse.query(there).column(0)[0].as_py())


@contextmanager
def doors_shut(patience: float = 5.0) -> Iterator[None]:
    """A transaction during which nothing comes through either door. Raises Unavailable while a file is imported."""
    with lease(LEASE, patience), transaction.atomic():
        yield


def _silent(stage: str, done: int, of: int) -> None:
    """Nobody wants to know how far it is."""


def directory(import_id: int | None = None) -> Path:
    """Where imports keep their chunk files and error files, or one import its chunk files."""
    root = Path(settings.DATA) / "imports"
    return root if import_id is None else root / str(import_id)


def sealed_by(marks: Sequence[bytes]) -> int:
    """How many chunk files of unfinished imports begin with one of these marks. Whoever resumes them needs that key."""
    found = 0
    for path in directory().glob("*/chunk-*.sealed"):
        with suppress(FileNotFoundError), path.open("rb") as file:  # it was finished meanwhile
            found += file.read(16).startswith(tuple(marks))
    return found


def _resume(warehouse: Warehouse) -> int:
    for left in Import.objects.filter(state=READING):
        shutil.rmtree(directory(left.pk), ignore_errors=True)
        Import.objects.filter(pk=left.pk).update(state=ABANDONED, finished_at=wall_now())
    begun = list(Import.objects.filter(state=APPENDING).order_by("pk"))
    wanted = {str(row.pk) for row in begun}
    for path in directory().iterdir() if directory().is_dir() else ():
        if path.is_dir() and path.name not in wanted:  # killed between its last word and its clearing away
            shutil.rmtree(path, ignore_errors=True)
    for row in begun:
        _append_chunks(warehouse, row, _silent)
    return len(begun)


def _run(
    kind: str, reader: _Orders | _Events, warehouse: Warehouse, given: Path | pa.RecordBatchReader, wanted: Wanted,
    progress: Progress,
) -> ImportReport:  # fmt: skip
    started = monotonic()
    if not wanted.source or len(wanted.source) > 20:
        raise BadInput("来源应为 1–20 个字符。", "A source has 1–20 characters.")
    with lease(LEASE, PATIENCE) as held, full_disk_is_said():
        _resume(warehouse)
        source = open_source(given, wanted.encoding)
        columns = chosen_columns(source, reader.required, reader.identity, reader.optional, wanted.mapping)
        row = Import.objects.create(
            kind=kind, source=wanted.source, digest=digest(given), mapping=dict(wanted.mapping), author=wanted.author
        )
        failpoint("import.after_started")
        here = directory(row.pk)
        try:
            here.mkdir(parents=True)
            report = _read(reader, row.pk, here, source, columns, wanted, held, progress)
        except BaseException:
            shutil.rmtree(here, ignore_errors=True)
            Import.objects.filter(pk=row.pk).update(state=REFUSED, finished_at=wall_now())
            raise
        if not wanted.dry_run:
            report = _finish(warehouse, report, progress)
    return replace(report, seconds=monotonic() - started)


def chosen_columns(
    source: Source,
    required: Sequence[str],
    identity: Sequence[str],
    optional: Sequence[str],
    mapping: Mapping[str, str],
) -> dict[str, str]:
    """Which column of the file is which. Raises BadInput naming the one that is missing or unknown."""
    names = (*required, *identity, *optional)
    there = "、".join(source.columns), ", ".join(source.columns)
    for name, column in mapping.items():
        if name not in names:
            raise BadInput(
                f"没有「{name}」这一项，可用的有：{'、'.join(names)}。",
                f"There is no field “{name}”; there are {', '.join(names)}.",
            )
        if column not in source.columns:
            raise BadInput(
                f"文件里没有「{column}」这一列，只有：{there[0]}。",
                f"The file has no column “{column}”; it has {there[1]}.",
            )
    columns = {name: mapping.get(name, name) for name in names if mapping.get(name, name) in source.columns}
    missing = [name for name in required if name not in columns]
    if missing:
        raise BadInput(
            f"缺少「{'、'.join(missing)}」这几列，文件里有：{there[0]}。请改列名，或用 --map 名称=列名。",
            f"The columns {', '.join(missing)} are missing; the file has {there[1]}. "
            "Rename them, or use --map name=column.",
        )
    if not any(name in columns for name in identity):
        raise BadInput(
            f"没有一列说明是哪位客户（{'、'.join(identity)}），文件里有：{there[0]}。",
            f"No column says which person ({', '.join(identity)}); the file has {there[1]}.",
        )
    return columns


def _read(
    reader: _Orders | _Events, import_id: int, here: Path, source: Source, columns: dict[str, str], wanted: Wanted,
    held: Held, progress: Progress,
) -> ImportReport:  # fmt: skip
    """Read and check the whole file; if it may stand, resolve identity and write the chunk files."""
    error_file = directory() / f"{import_id}-errors.csv"
    with RefusedRows(error_file) as refused:
        rows = reader.read(Reading(here, _blocks(source, columns, held, progress), source, wanted, refused))
        for row, expected, found in source.ragged:
            refused.add(
                row, "", "", f"应有 {expected} 列，实有 {found} 列", f"it has {found} columns instead of {expected}"
            )
        failpoint("import.after_spill")
        reader.check(refused)
    rows += len(source.ragged)
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
        Import.objects.filter(pk=import_id).update(
            state=APPENDING, rows=rows, accepted=report.accepted, refused=bad, chunks=report.chunks
        )
    failpoint("import.after_sealed")
    return report


def _blocks(
    source: Source, columns: dict[str, str], held: Held, progress: Progress
) -> Iterator[tuple[Rows, dict[str, pa.Array]]]:
    done = 0
    renewed = monotonic()
    for rows, batch in ahead(source.blocks):
        yield rows, {name: batch.column(column) for name, column in columns.items()}
        done += len(rows)
        progress("reading", done, max(source.rows, done))
        if monotonic() - renewed > 10:
            held.renew()
            renewed = monotonic()


def _finish(warehouse: Warehouse, report: ImportReport, progress: Progress) -> ImportReport:
    _append_chunks(warehouse, Import.objects.get(pk=report.import_id), progress)
    statement = Statement("SELECT count(*) FROM events WHERE import_id = $id", {"id": report.import_id})
    fresh = int(warehouse.query(statement).column(0)[0].as_py())
    return replace(report, already_there=report.events - fresh)


def _append_chunks(warehouse: Warehouse, row: Import, progress: Progress) -> None:
    """Append every chunk that does not stand yet, then tell the warehouse of the persons, then clear away."""
    here = directory(row.pk)
    tables = _Orders.tables if row.kind == "orders" else _Events.tables
    for chunk in range(row.chunks):
        table, lines = tables(here, chunk)
        marker = {"id": row.pk, "chunk": chunk}
        count = {"rows": table.num_rows, "at": wall_now()}
        warehouse.write(
            [
                *append_statements(table, lines, import_id=row.pk),
                Statement("INSERT INTO import_chunks VALUES ($id, $chunk, $rows, $at)", {**marker, **count}),
            ],
            unless=Statement(
                "SELECT EXISTS (SELECT 1 FROM import_chunks WHERE import_id = $id AND chunk = $chunk)", marker
            ),
        )
        failpoint("import.after_append")
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

    required, identity, optional = orders.REQUIRED, orders.IDENTITY, orders.OPTIONAL

    def __init__(self) -> None:
        self._persons = orders.Persons()
        self._refused_orders: set[str] = set()
        self._used: set[int] = set()
        self._paths: list[Path] = []

    def read(self, reading: Reading) -> int:
        """Spill the blocks; returns how many rows there were."""
        count = 0
        zone = reading.wanted.zone or brand_or_presumed().zone
        with orders.Spill(reading.here, reading.source.rows) as spill:
            for rows, columns in reading.blocks:
                batch, left_out = orders.check_block(rows, columns, zone, self._persons, reading.refused)
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
                if code in names
            }
        )
        of_code = np.zeros(len(self._persons), dtype=np.int64)
        of_code[[code for code, _ in named]] = births
        with _durable(here / "persons.npy") as file:
            np.save(file, of_code)

    @staticmethod
    def tables(here: Path, chunk: int) -> tuple[pa.Table, pa.Table]:
        """A chunk as INCOMING and LINES."""
        births = np.load(here / "persons.npy")
        events, lines = (_whole(here / f"chunk-{chunk}-{name}.arrow") for name in ("events", "lines"))
        persons = pa.array(births[events["person"].to_numpy()], pa.int64())
        place = events.schema.get_field_index("person")
        return events.set_column(place, "person", persons), lines


def _whole(path: Path) -> pa.Table:
    """A chunk file's table. Arrow's own format: it is written once and read once, and Parquet is twice as dear."""
    with pa.memory_map(str(path)) as file:
        return pa.ipc.open_file(file).read_all()


def _group(member: str, phone: str, source: str) -> tuple[IdentifierValue, ...]:
    both = (IdentifierValue("member", source, member), IdentifierValue("phone", "", phone))
    return tuple(one for one in both if one.value)


class _Events:
    """How a file of events is read."""

    required, identity, optional = eventfiles.REQUIRED, eventfiles.IDENTITY, eventfiles.OPTIONAL

    def __init__(self) -> None:
        self._path = Path()
        self._named: set[tuple[IdentifierValue, ...]] = set()

    def read(self, reading: Reading) -> int:
        """Spill the blocks' events; returns how many rows there were."""
        count = 0
        wanted, facts = reading.wanted, brand_or_presumed()
        self._path = reading.here / "spill.sealed"
        with eventfiles.EventSpill(self._path) as spill:
            for rows, columns in reading.blocks:
                events = eventfiles.events_of(
                    rows, columns, zone=wanted.zone or facts.zone, source=wanted.source, corp=wanted.corp,
                    currency=facts.currency, synthetic=wanted.synthetic, refused=reading.refused,
                )  # fmt: skip
                self._named.update(group_of(event) for event in events if event.identifiers)
                spill.add(events)
                count += len(rows)
        return count

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
            unknown.update(event.store for event in events if event.store and event.store not in codes.stores)
            report = replace(report, events=report.events + len(events))
        self._path.unlink()
        return replace(report, chunks=chunks, unknown_stores=tuple(sorted(unknown)))

    def seal(self, here: Path, wanted: Wanted) -> None:
        """Events meet their persons when they are appended, as in the pump."""

    @staticmethod
    def tables(here: Path, chunk: int) -> tuple[pa.Table, pa.Table]:
        """A chunk as INCOMING and LINES, its operational facts applied (again does no harm)."""
        codes = known()
        sealed = (here / f"chunk-{chunk}.sealed").read_bytes()
        chosen = distinct(opened([Envelope(wall_now(), sealed)]))
        births = persons_of(chosen)
        failpoint("import.after_persons")
        apply_facts(chosen, births, codes)
        failpoint("import.after_identity")
        return incoming(chosen, births, codes)
