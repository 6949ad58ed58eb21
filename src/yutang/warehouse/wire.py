"""How other processes reach the owner of the file: a unix socket in the data directory.

A message is a length (4 bytes, big-endian), a JSON header of that length, and the Arrow IPC streams whose sizes the
header lists. One connection carries one question and its answer. Parameters travel in the header, Decimals, times and
days tagged: {"decimal": "1.50"}. (A table of one row would import pandas, 1.6 s, into every short command.)
"""

from __future__ import annotations

import os
import shutil
import socket
import socketserver
import struct
import tempfile
import threading
from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import pyarrow as pa

from yutang.kernel import errors
from yutang.kernel.errors import Refused, Unavailable, YutangError
from yutang.warehouse.contracts import Statement, Warehouse, bindable

SOCKET = "warehouse.sock"
POINTER = "warehouse.sock.where"
LONGEST_PATH = 100  # bytes; the kernel's limit is 108 on Linux, 104 on macOS


class Sent(msgspec.Struct, omit_defaults=True):
    """A statement on the wire; the numbers of `tables` are places in the message's list of tables."""

    sql: str
    name: str = ""
    params: dict[str, Any] = {}
    tables: dict[str, int] = {}


class Question(msgspec.Struct, omit_defaults=True):
    """What a client asks: `hello`, `query`, `write` or `compact`."""

    verb: str
    sizes: list[int] = []
    statements: list[Sent] = []
    unless: Sent | None = None


class Answer(msgspec.Struct, omit_defaults=True):
    """What the owner says: a table, whether it wrote, its schema version, or an error."""

    sizes: list[int] = []
    wrote: bool = False
    version: int = 0
    error: tuple[str, str, str] | None = None


Header = TypeVar("Header", Question, Answer)


class OwnerGone(Unavailable):
    """The process that owns the file does not answer: it has ended, or was killed."""


class Client:
    """The warehouse as seen from a process that does not own the file. Satisfies `Warehouse`."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._closed = False

    def greet(self, version: int) -> None:
        """Raises OwnerGone if nobody answers, Refused if the owner runs another version of the code."""
        theirs = self._ask(Question("hello"), [])[0].version
        if theirs != version:
            raise Refused(
                f"正在运行的 Yutang 使用第 {theirs} 版数据仓库，本程序是第 {version} 版。"
                "请先停止它，再用同一版本启动。",
                f"The Yutang that is running uses warehouse version {theirs} and this one {version}. "
                "Stop it, and start both from the same version.",
            )

    def query(self, statement: Statement) -> pa.Table:
        tables: list[pa.Table] = []
        return self._ask(Question("query", statements=[_pack(statement, tables)]), tables)[1][0]

    def write(self, statements: Sequence[Statement], *, unless: Statement | None = None) -> bool:
        tables: list[pa.Table] = []
        packed = [_pack(statement, tables) for statement in statements]
        marker = None if unless is None else _pack(unless, tables)
        question = Question("write", statements=packed, unless=marker)
        return self._ask(question, tables)[0].wrote

    def compact(self) -> None:
        self._ask(Question("compact"), [])

    def close(self) -> None:
        self._closed = True

    def _ask(self, question: Question, tables: list[pa.Table]) -> tuple[Answer, list[pa.Table]]:
        if self._closed:
            raise Unavailable("数据仓库已关闭，请重新打开。", "The warehouse has been closed; open it again.")
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
                line.connect(str(socket_path(self._directory)))
                _send(line, question, tables)
                answer, found = _receive(line, Answer)
        except OSError as error:
            raise OwnerGone(
                "持有数据仓库的进程没有应答或已退出；请重新打开。若当时正在写入，请连同其标记重做一次。",
                "The process that owns the warehouse does not answer or has ended; open the warehouse again. "
                "If you were writing, repeat that write with its marker.",
            ) from error
        if answer.error is not None:
            kind, zh, en = answer.error
            raise _ERRORS.get(kind, YutangError)(zh, en)
        return answer, found


_ERRORS: dict[str, type[YutangError]] = {
    kind.__name__: kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, YutangError) and kind.__init__ is YutangError.__init__
}


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """One thread per question, each running on the owner's warehouse."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, path: Path, warehouse: Warehouse, version: int, *, apart: bool = False) -> None:
        self.warehouse = warehouse
        self.version = version
        self.path = path
        self.apart = apart
        super().__init__(str(path), _Handler)

    def server_bind(self) -> None:
        # Before `listen` nobody can connect, so nobody can connect before the mode is set.
        super().server_bind()
        self.path.chmod(0o600)

    def stop(self) -> None:
        """Stop listening; questions under way are still answered."""
        self.shutdown()
        self.server_close()
        self.path.unlink(missing_ok=True)
        if self.apart:
            self.path.parent.rmdir()


class _Handler(socketserver.BaseRequestHandler):
    server: Server

    def handle(self) -> None:
        try:
            try:
                answer, found = self._answer(*_receive(self.request, Question))
            except msgspec.DecodeError as error:
                answer, found = Answer(error=("BadInput", f"听不懂这条消息：{error}", f"Not a message: {error}")), []
            _send(self.request, answer, found)
        except ConnectionError:
            return  # the asker has gone; there is nobody to tell

    def _answer(self, question: Question, tables: list[pa.Table]) -> tuple[Answer, list[pa.Table]]:
        warehouse = self.server.warehouse
        try:
            statements = [_unpack(sent, tables) for sent in question.statements]
            if question.verb == "hello":
                return Answer(version=self.server.version), []
            if question.verb == "query":
                return Answer(), [warehouse.query(statements[0])]
            if question.verb == "write":
                unless = None if question.unless is None else _unpack(question.unless, tables)
                return Answer(wrote=warehouse.write(statements, unless=unless)), []
            if question.verb == "compact":
                warehouse.compact()
                return Answer(), []
        except YutangError as error:
            return Answer(error=(type(error).__name__, error.zh, error.en)), []
        return Answer(error=("BadInput", f"不认识「{question.verb}」。", f"“{question.verb}” is not known here.")), []


def serve(directory: Path, warehouse: Warehouse, version: int) -> Server:
    """Listen in the data directory. Only the holder of the owner's lock may call this: it replaces a stale socket."""
    _sweep(directory)
    path = directory / SOCKET
    apart = len(os.fsencode(path)) > LONGEST_PATH
    if apart:
        path = Path(tempfile.mkdtemp(prefix="yutang-")) / SOCKET
        pointer = directory / POINTER
        pointer.with_suffix(".partial").write_text(str(path), encoding="utf-8")
        pointer.with_suffix(".partial").replace(pointer)
    server = Server(path, warehouse, version, apart=apart)
    threading.Thread(target=server.serve_forever, args=(0.05,), name="warehouse-socket", daemon=True).start()
    return server


def socket_path(directory: Path) -> Path:
    """Where the owner listens: in the directory, or where a pointer file says when that path is too long."""
    pointer = directory / POINTER
    return Path(pointer.read_text(encoding="utf-8")) if pointer.exists() else directory / SOCKET


def _sweep(directory: Path) -> None:
    """Remove what an owner that was killed left behind."""
    stale = socket_path(directory)
    stale.unlink(missing_ok=True)
    if stale.parent != directory and stale.parent.name.startswith("yutang-"):
        shutil.rmtree(stale.parent, ignore_errors=True)
    (directory / POINTER).unlink(missing_ok=True)


def _pack(statement: Statement, tables: list[pa.Table]) -> Sent:
    params = {name: _tagged(value) for name, value in bindable(statement).items()}
    places = {name: _place(table, tables) for name, table in statement.tables.items()}
    return Sent(statement.text(), statement.name, params, places)


def _place(table: pa.Table, tables: list[pa.Table]) -> int:
    tables.append(table)
    return len(tables) - 1


def _unpack(sent: Sent, tables: list[pa.Table]) -> Statement:
    params = {name: _untagged(value) for name, value in sent.params.items()}
    return Statement(sent.sql, params, {name: tables[place] for name, place in sent.tables.items()}, sent.name)


def _tagged(value: object) -> object:
    """What JSON has no word for, under the name of its kind. Times are naive UTC here."""
    match value:
        case datetime():
            return {"time": value.isoformat()}
        case date():
            return {"day": value.isoformat()}
        case Decimal():
            return {"decimal": str(value)}
        case float():
            return {"float": value.hex()}
        case list():
            return [_tagged(item) for item in value]
    return value


def _untagged(value: Any) -> object:
    match value:
        case {"time": text}:
            return datetime.fromisoformat(text).replace(tzinfo=UTC)  # aware, as `Statement` asks
        case {"day": text}:
            return date.fromisoformat(text)
        case {"decimal": text}:
            return Decimal(text)
        case {"float": text}:
            return float.fromhex(text)
        case list():
            return [_untagged(item) for item in value]
    return value


def _send(line: socket.socket, header: Question | Answer, tables: Sequence[pa.Table]) -> None:
    streams = [_encode(table) for table in tables]
    header.sizes = [stream.size for stream in streams]
    text = msgspec.json.encode(header)
    line.sendall(struct.pack(">I", len(text)) + text)
    for stream in streams:
        line.sendall(memoryview(stream))


def _receive(line: socket.socket, kind: type[Header]) -> tuple[Header, list[pa.Table]]:
    (length,) = struct.unpack(">I", _exactly(line, 4))
    header = msgspec.json.decode(_exactly(line, length), type=kind)
    return header, [pa.ipc.open_stream(pa.py_buffer(_exactly(line, size))).read_all() for size in header.sizes]


def _encode(table: pa.Table) -> pa.Buffer:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    return sink.getvalue()


def _exactly(line: socket.socket, size: int) -> bytearray:
    whole = bytearray(size)
    view = memoryview(whole)
    while view:
        got = line.recv_into(view)
        if not got:
            raise ConnectionResetError("the line was cut in the middle of a message")
        view = view[got:]
    return whole
