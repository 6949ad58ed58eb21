"""What comes with the program: every document can be read, counted, planned, and made one's own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_django import DjangoDbBlocker

from tests.house.world import World, shared
from yutang.documents import queries as documents
from yutang.documents.models import DocumentVersion
from yutang.documents.services import save_document
from yutang.kernel.documents import read
from yutang.kernel.errors import BadInput
from yutang.organisation.queries import OWNER
from yutang.playbooks.services import AUTHOR, SHIPPED_KINDS, keep_shipped, read_file, shipped_files
from yutang.reach import services as reach
from yutang.reach.documents import BroadcastDocument
from yutang.reach.policy import PolicyDocument
from yutang.segments import queries as segments
from yutang.segments.documents import SegmentDocument

FILES = shipped_files()
FOLDERS = {
    "segments": "segment",
    "traits": "trait",
    "broadcasts": "broadcast",
    "policy": "policy",
    "content": "content_rules",
    "contents": "content",
    "ways": "contact_way",
    "reflex": "reflex",
    "webhooks": "webhook",
    "today": "today",
    "trust": "trust",
    "walls": "walls",
    "accounts": "accounts",
    "rfm": "rfm",
    "super_users": "super_users",
    "advisor": "advisor",
    "ladder": "ladder",
    "values": "values",
}


@pytest.fixture(scope="module")
def world(
    django_db_setup: None, django_db_blocker: DjangoDbBlocker, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    """A brand with a few people, in which the shipped documents are kept."""
    with shared(django_db_blocker, tmp_path_factory.mktemp("playbooks")) as made:
        yield made


def kept() -> list[tuple[str, str, int, bool]]:
    """Every version of every document."""
    rows = DocumentVersion.objects.order_by("kind", "name", "version")
    return list(rows.values_list("kind", "name", "version", "shipped"))


def test_every_file_of_the_checkout_is_shipped() -> None:
    there = sorted((Path(__file__).parents[2] / "playbooks").rglob("*.*"))
    assert [path for path in there if path.is_file()] == FILES
    assert {path.parent.name for path in FILES} == set(FOLDERS)


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_shipped_file_is_a_document_of_its_folder_named_as_its_file(path: Path) -> None:
    document = read_file(path)
    assert isinstance(document, SHIPPED_KINDS)
    assert (document.kind, document.name) == (FOLDERS[path.parent.name], path.stem)
    for language in ("zh", "en"):
        assert document.title.text(language).strip()
    assert document.title.text("zh") != document.title.text("en")


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_document_goes_through_its_data_unchanged(path: Path) -> None:
    from yutang.kernel.documents import from_data

    document = read_file(path)
    assert from_data(document.as_data()) == document == read(path.read_bytes())


@pytest.mark.django_db
def test_every_segment_counts_alone_as_together(world: World) -> None:
    shipped = [read_file(path) for path in FILES if path.parent.name == "segments"]
    assert {document.name for document in shipped} == {document.name for document in segments.segments()}
    asked = [document for document in shipped if isinstance(document, SegmentDocument)]
    together = segments.counts(world.warehouse, OWNER, asked)
    assert together == {one.name: segments.count(world.warehouse, OWNER, one) for one in asked}
    assert together["customer_pool"] == together["one_time_buyers"] == 2  # the world's two people bought once each
    assert together["nurturing_pool"] == 0


@pytest.mark.django_db
@pytest.mark.parametrize(
    "path", [path for path in FILES if path.parent.name == "broadcasts"], ids=lambda path: path.stem
)
def test_every_broadcast_can_be_planned_and_breaks_no_rule_of_ours(world: World, path: Path) -> None:
    document = read_file(path)
    assert isinstance(document, BroadcastDocument)
    found = reach.preview(world.warehouse, document, OWNER)
    assert found.content_problem is None
    parts = found.send + found.held_out + found.globally_held_out + sum(found.suppressed.values())
    assert found.candidates == parts
    assert document.hold_out > 0, "what is shipped measures itself"


@pytest.mark.django_db
def test_kept_twice_is_kept_once(world: World) -> None:
    before = kept()
    assert len(before) >= len(FILES)
    assert keep_shipped() == len(FILES)
    assert kept() == before
    assert {version for _, _, version, shipped in before if shipped} == {1}


@pytest.mark.django_db
def test_what_a_brand_made_of_a_shipped_document_stays(world: World) -> None:
    """Also when it was only the policy's title, and also at the start after the next."""
    policy = documents.find(PolicyDocument, "default").document
    own = policy.model_copy(update={"title": policy.title.model_copy(update={"zh": "我们的规则"})})
    assert save_document(own, "ann").version == 2
    for _ in range(2):
        keep_shipped()
        found = documents.find(PolicyDocument, "default")
        assert (found.document, found.author, found.version, found.shipped) == (own, "ann", 2, False)
    assert documents.find(PolicyDocument, "default", 1).author == AUTHOR


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b"kind: recipe\nname: soup\n", "recipe"),
        (b"kind: segment\nname: x\ntitle: {zh: a, en: b}\n", "where"),
        (b": : :", "YAML"),
        (None, "cannot be read"),
    ],
)
def test_a_file_that_is_no_document_is_named(tmp_path: Path, text: bytes | None, told: str) -> None:
    path = tmp_path / "mine.yaml"
    if text is not None:
        path.write_bytes(text)
    with pytest.raises(BadInput) as caught:
        read_file(path)
    assert str(path) in caught.value.en
    assert str(path) in caught.value.zh
    assert told in caught.value.en
