"""Keeping documents."""

from __future__ import annotations

import hashlib
import json

from django.db import transaction

from yutang.documents.contracts import StoredDocument
from yutang.documents.models import DocumentVersion
from yutang.documents.queries import stored
from yutang.kernel.documents import Document


def digest(document: Document) -> str:
    """SHA-256 of a document's data; equal documents have equal digests whatever their formatting."""
    text = json.dumps(document.as_data(), sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def save_document(document: Document, author: str, *, shipped: bool = False) -> StoredDocument:
    """Keep `document` as the next version of its name; the same content again makes no new version.

    A shipped document never overwrites what people made of it: it is only added where nothing but shipped versions
    stand.
    """
    with transaction.atomic():
        last = DocumentVersion.objects.filter(kind=document.kind, name=document.name).order_by("-version").first()
        same = last is not None and last.digest == digest(document) and not last.retired
        edited = last is not None and not last.shipped
        if last is not None and (same or (shipped and edited)):
            return stored(last)
        row = DocumentVersion.objects.create(
            kind=document.kind,
            name=document.name,
            version=1 if last is None else last.version + 1,
            body=document.as_data(),
            digest=digest(document),
            author=author,
            shipped=shipped,
        )
        return stored(row)
