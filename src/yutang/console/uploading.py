"""A large file on its way in: sealed as it comes, a piece at a time, and never laid down in clear."""

from __future__ import annotations

from typing import Any

from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import FileUploadHandler, SkipFile
from django.http import HttpRequest

from yutang.intake.uploads import MOST_BYTES, begin_upload
from yutang.kernel.errors import BadInput
from yutang.kernel.sealed import SealedWriter


class SealedUpload(UploadedFile):  # type: ignore[type-arg]  # Django's own class takes no parameters at run time
    """A file that was taken in: `written` is where it stands, sealed. It cannot be read from here."""

    def __init__(self, written: SealedWriter, name: str) -> None:
        super().__init__(None, name, size=written.size)
        self.written = written


class SealingHandler(FileUploadHandler):
    """Seals the first file of a form, and takes no other."""

    chunk_size = 1 << 18

    def __init__(self, request: HttpRequest | None = None) -> None:
        super().__init__(request)
        self._written: SealedWriter | None = None
        self._whole = False
        self.too_large = False

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        """A file begins."""
        super().new_file(*args, **kwargs)
        if self._written is not None:
            raise SkipFile
        self._written = begin_upload()

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        """Seal what came; beyond what is taken, nothing is kept."""
        assert self._written is not None
        if self.too_large or self._written.size + len(raw_data) > MOST_BYTES:
            self.too_large = True
            return
        self._written.write(raw_data)

    def file_complete(self, file_size: int) -> SealedUpload:
        """The file ended."""
        assert self._written is not None
        self._written.close()
        self._whole = True
        return SealedUpload(self._written, self.file_name or "")

    def upload_interrupted(self) -> None:
        """The sender went away."""
        self.forget()

    def forget(self) -> None:
        """Remove what was taken in."""
        if self._written is not None:
            self._written.discard()


def the_file(request: HttpRequest, handler: SealingHandler) -> SealedUpload:
    """The file of a form that `handler` took in. Raises BadInput where there is none, or where it is too large."""
    file = request.FILES.get("file")
    if isinstance(file, SealedUpload) and not handler.too_large and file.written.size:
        return file
    handler.forget()
    if handler.too_large:
        raise BadInput("文件超过 200 MB，请拆成几个。", "The file is larger than 200 MB; split it.")
    raise BadInput("请选择一个有内容的文件。", "Choose a file with something in it.")
