"""Reading kept files. They hold no rows of customers, so whoever may look at the library may look at them."""

from __future__ import annotations

from collections.abc import Iterable

from yutang.files.contracts import FileFacts, FileKind
from yutang.files.models import KeptFile
from yutang.kernel.errors import NotFound

_FACTS = ("digest", "kind", "name", "type", "size", "kept_at")


def known_files(digests: Iterable[str]) -> dict[str, FileFacts]:
    """Those of them that are kept."""
    rows = KeptFile.objects.filter(digest__in=set(digests)).values_list(*_FACTS)
    return {row[0]: FileFacts(row[0], FileKind(row[1]), *row[2:]) for row in rows}


def file_facts(digest: str) -> FileFacts:
    """One file. Raises NotFound."""
    found = known_files([digest]).get(digest)
    if found is None:
        raise NotFound("没有这个文件，请重新上传。", "There is no such file; upload it again.")
    return found


def content_of(digest: str) -> bytes:
    """The bytes of a file. Raises NotFound."""
    found = KeptFile.objects.filter(digest=digest).values_list("content", flat=True).first()
    if found is None:
        raise NotFound("没有这个文件，请重新上传。", "There is no such file; upload it again.")
    return bytes(found)
