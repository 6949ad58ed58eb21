"""One history for every kind of document."""

from __future__ import annotations

import pytest

from yutang.documents import queries, services
from yutang.kernel.documents import from_data
from yutang.kernel.errors import NotFound
from yutang.reach.documents import BroadcastDocument

pytestmark = pytest.mark.django_db


def hello(text: str = "您好") -> BroadcastDocument:
    data = {
        "kind": "broadcast",
        "name": "hello",
        "title": {"zh": "问候", "en": "Hello"},
        "audience": {"everyone": True},
        "purpose": "marketing",
        "message": {"text": text},
    }
    document = from_data(data)
    assert isinstance(document, BroadcastDocument)
    return document


def test_the_same_content_makes_no_new_version_and_a_change_does() -> None:
    assert services.save_document(hello(), "ann").version == 1
    assert services.save_document(hello(), "ben").version == 1
    assert services.save_document(hello("早上好"), "ben").version == 2
    assert [item.version for item in queries.versions(BroadcastDocument, "hello")] == [2, 1]
    assert queries.find(BroadcastDocument, "hello", 1).document == hello()


def test_a_shipped_document_never_overwrites_what_people_made_of_it() -> None:
    services.save_document(hello(), "yutang", shipped=True)
    services.save_document(hello("我们的话"), "ann")
    services.save_document(hello("新版出厂的话"), "yutang", shipped=True)
    assert queries.find(BroadcastDocument, "hello").document == hello("我们的话")


def test_a_newer_shipped_document_replaces_an_untouched_older_one() -> None:
    services.save_document(hello(), "yutang", shipped=True)
    services.save_document(hello("新版出厂的话"), "yutang", shipped=True)
    assert queries.find(BroadcastDocument, "hello").version == 2
    assert len(queries.current(BroadcastDocument)) == 1


def test_a_document_that_is_not_there_is_named() -> None:
    with pytest.raises(NotFound, match="nothing_here"):
        queries.find(BroadcastDocument, "nothing_here")
