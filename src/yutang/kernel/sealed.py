"""Large files that are never laid down in clear: a stream of sealed chunks, read back from any place.

Each chunk is sealed under the file's own random number and its place in the file, and the last frame under how many
there were: chunks exchanged, left out or taken from another file do not open.
"""

from __future__ import annotations

import io
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from yutang.kernel.encryption import keyring, wrong_key

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

CHUNK = 1 << 20
_MAGIC = b"YTSEALED"
_NUMBER, _LENGTH = 16, 4
_BEGINNING = 16  # bytes of a frame: every one has more, and a key's mark has fewer


class SealedWriter:
    """Writes a new sealed file. Whoever stops before `close` leaves a file that does not open; `discard` removes it."""

    def __init__(self, path: Path, context: str) -> None:
        self.path = path
        self.size = 0
        self._context = context
        self._number = secrets.token_bytes(_NUMBER)
        self._waiting = bytearray()
        self._chunks = 0
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._file = path.open("xb")
        self._file.write(_MAGIC + self._number)

    def write(self, data: bytes) -> int:
        """Take so many bytes more."""
        self._waiting += data
        self.size += len(data)
        while len(self._waiting) >= CHUNK:
            self._frame(bytes(self._waiting[:CHUNK]), str(self._chunks))
            del self._waiting[:CHUNK]
            self._chunks += 1
        return len(data)

    def close(self) -> None:
        """End the file; it stands on the disk when this returns."""
        if self._waiting:
            self._frame(bytes(self._waiting), str(self._chunks))
            self._waiting.clear()
            self._chunks += 1
        self._frame(self.size.to_bytes(8, "big"), f"end:{self._chunks}")
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()

    def discard(self) -> None:
        """Let go of the file and remove it."""
        self._file.close()
        self.path.unlink(missing_ok=True)

    def _frame(self, plain: bytes, place: str) -> None:
        sealed = keyring().encrypt_bytes(plain, f"{self._context}:{self._number.hex()}:{place}")
        self._file.write(len(sealed).to_bytes(_LENGTH, "big") + sealed)


class SealedReader(io.RawIOBase):
    """Reads a sealed file in clear, from any place, one chunk in memory. Raises WrongKey for one that does not open."""

    def __init__(self, path: Path, context: str) -> None:
        self._file = path.open("rb")
        self._context = context
        self._frames: list[tuple[int, int]] = []
        head = self._file.read(len(_MAGIC) + _NUMBER)
        if head[: len(_MAGIC)] != _MAGIC:
            raise wrong_key()
        self._number = head[len(_MAGIC) :]
        end, place = self._file.seek(0, io.SEEK_END), len(head)
        while place < end:
            self._file.seek(place)
            length = int.from_bytes(self._file.read(_LENGTH), "big")
            self._frames.append((place + _LENGTH, length))
            place += _LENGTH + length
        if not self._frames or place != end:
            raise wrong_key()
        last = len(self._frames) - 1
        self.size = int.from_bytes(self._opened(last, f"end:{last}"), "big")
        self._place = 0
        self._held: tuple[int, bytes] = (-1, b"")

    def readable(self) -> bool:
        """Yes."""
        return True

    def seekable(self) -> bool:
        """Yes."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place in the clear bytes."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self.size}[whence]
        self._place = max(0, base + offset)
        return self._place

    def tell(self) -> int:
        """The place in the clear bytes."""
        return self._place

    def readinto(self, buffer: WriteableBuffer) -> int:
        """Fill the buffer from the chunk at the place."""
        view = memoryview(buffer).cast("B")
        if self._place >= self.size or not len(view):
            return 0
        index, within = divmod(self._place, CHUNK)
        if self._held[0] != index:
            self._held = (index, self._opened(index, str(index)))
        part = self._held[1][within : within + len(view)]
        view[: len(part)] = part
        self._place += len(part)
        return len(part)

    def close(self) -> None:
        """Let go of the file and of the chunk in memory."""
        self._held = (-1, b"")
        self._file.close()
        super().close()

    def _opened(self, index: int, place: str) -> bytes:
        start, length = self._frames[index]
        self._file.seek(start)
        return keyring().decrypt_bytes(self._file.read(length), f"{self._context}:{self._number.hex()}:{place}")


def frames(path: Path) -> Iterator[bytes]:
    """How each frame of a sealed file begins: under which key it is."""
    with path.open("rb") as file:
        file.seek(len(_MAGIC) + _NUMBER)
        while length := file.read(_LENGTH):
            yield file.read(_BEGINNING)
            file.seek(int.from_bytes(length, "big") - _BEGINNING, io.SEEK_CUR)


def open_sealed(path: Path, context: str) -> BinaryIO:
    """A sealed file for reading, buffered."""
    return io.BufferedReader(SealedReader(path, context), CHUNK)


class SealedSpool:
    """Bytes that are written, then read: in memory up to `most_clear` of them, beyond that in a sealed file, which is
    removed when this is closed."""

    def __init__(self, path: Path, context: str, most_clear: int) -> None:
        self._path, self._context, self._most_clear = path, context, most_clear
        self._clear: io.BytesIO | None = io.BytesIO()
        self._writer: SealedWriter | None = None
        self._reader: BinaryIO | None = None

    def write(self, data: bytes) -> None:
        """Take so many bytes more."""
        if self._clear is not None and self._clear.tell() + len(data) <= self._most_clear:
            self._clear.write(data)
            return
        if self._writer is None:
            self._writer = SealedWriter(self._path, self._context)
            self._writer.write(self._clear.getvalue() if self._clear is not None else b"")
            self._clear = None
        self._writer.write(data)

    def seek(self, place: int, whence: int = io.SEEK_SET) -> int:
        """From the first call on it is read, and written no more. Django asks for its end, to know how large it is."""
        if self._writer is not None and self._reader is None:
            self._writer.close()
            self._reader = open_sealed(self._path, self._context)
        return self._read_from().seek(place, whence)

    def read(self, size: int = -1) -> bytes:
        """So many bytes from the place."""
        return self._read_from().read(size)

    def readline(self, size: int = -1) -> bytes:
        """As `read`, at most to the end of the line."""
        return self._read_from().readline(size)

    def close(self) -> None:
        """Let go of all of it."""
        if self._reader is not None:
            self._reader.close()
        if self._writer is not None:
            self._writer.discard()

    def _read_from(self) -> BinaryIO:
        source = self._reader if self._reader is not None else self._clear
        assert source is not None, "it is read from after seek()"
        return source
