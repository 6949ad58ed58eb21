"""Reading documents. Documents hold no rows of customers, so every viewer may read them."""

from __future__ import annotations

from typing import TypeVar

from django.db import connection
from django.db.models import Max

from yutang.documents.contracts import StoredDocument
from yutang.documents.models import DocumentVersion
from yutang.kernel.documents import Document, from_data
from yutang.kernel.errors import NotFound

D = TypeVar("D", bound=Document)


def stored(row: DocumentVersion) -> StoredDocument:
    """A row as others see it."""
    return StoredDocument(from_data(row.body), row.version, row.digest, row.author, row.created_at, row.shipped)


def find(kind: type[D], name: str, version: int | None = None) -> StoredDocument:
    """The current version of a document, or the one asked for. Raises NotFound."""
    rows = DocumentVersion.objects.filter(kind=kind.KIND, name=name)
    row = (rows.filter(version=version) if version else rows.order_by("-version")).first()
    if row is None or (row.retired and not version):
        raise NotFound(f"没有名为「{name}」的{kind.KIND}文档。", f"There is no {kind.KIND} document named “{name}”.")
    return stored(row)


def current(kind: type[D]) -> list[StoredDocument]:
    """The current version of every document of a kind, by name."""
    latest = DocumentVersion.objects.filter(kind=kind.KIND).values("name").annotate(last=Max("version"))
    wanted = {(item["name"], item["last"]) for item in latest}
    rows = DocumentVersion.objects.filter(kind=kind.KIND, retired=False).order_by("name")
    return [stored(row) for row in rows if (row.name, row.version) in wanted]


def latest(kind: type[D]) -> list[tuple[StoredDocument, bool]]:
    """The last version of every document of a kind that ever was, by name, and whether it is still current."""
    last: dict[str, DocumentVersion] = {}
    for row in DocumentVersion.objects.filter(kind=kind.KIND).order_by("name", "version"):
        last[row.name] = row
    return [(stored(row), not row.retired) for row in last.values()]


def latest_mark(kind: type[D]) -> object:
    """Something that changes whenever a document of the kind is kept: by it a reader knows that what it read holds.

    Asked in every transaction that keeps events, so it is plain SQL: the ORM took longer than the commit.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, digest, created_at FROM documents_documentversion WHERE kind = %s ORDER BY id DESC LIMIT 1",
            [kind.KIND],
        )
        return cursor.fetchone()


def document_named(kind: type[D], name: str, version: int | None = None) -> D:
    """What `find` finds, itself. Raises NotFound."""
    found = find(kind, name, version).document
    assert isinstance(found, kind)  # by its kind
    return found


def documents_of(kind: type[D]) -> list[D]:
    """What `current` finds, themselves."""
    return [item.document for item in current(kind) if isinstance(item.document, kind)]


def versions(kind: type[D], name: str) -> list[StoredDocument]:
    """Every version of a document, newest first."""
    return [stored(row) for row in DocumentVersion.objects.filter(kind=kind.KIND, name=name).order_by("-version")]
