"""Files are kept once, by what is in them, and only what platforms take."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connections

from tests.sandbox.files import jpeg, mp4, png
from yutang.files.contracts import MIB, FileKind, digest_in
from yutang.files.models import KeptFile
from yutang.files.queries import content_of, file_facts, known_files
from yutang.files.services import keep_file
from yutang.kernel.errors import BadInput, NotFound


@pytest.mark.django_db
def test_the_same_bytes_are_one_file_and_a_file_that_is_shown_by_its_name_counts_with_it() -> None:
    first = keep_file(FileKind.IMAGE, "海报.png", png())
    assert keep_file(FileKind.IMAGE, "other.png", png()) == first
    assert keep_file(FileKind.IMAGE, "b.jpg", jpeg()).type == "image/jpeg"
    assert keep_file(FileKind.VIDEO, "a.mp4", mp4()).type == "video/mp4"
    papers = [keep_file(FileKind.FILE, name, b"some words") for name in ("目录.pdf", "价目.pdf")]
    assert papers[0].digest != papers[1].digest
    assert (content_of(first.digest), first.size, digest_in(first.address)) == (png(), len(png()), first.digest)
    assert known_files([first.digest, "0" * 64]) == {first.digest: first}
    assert digest_in("https://example.com/a.png") == ""
    with pytest.raises(NotFound):
        file_facts("0" * 64)
    with pytest.raises(NotFound):
        content_of("0" * 64)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("kind", "name", "content", "said"),
    [
        (FileKind.IMAGE, "a.gif", b"GIF89a....", "no JPG or PNG"),
        (FileKind.IMAGE, "a.png", mp4(), "no JPG or PNG"),
        (FileKind.VIDEO, "a.mp4", png(), "no MP4"),
        (FileKind.VOICE, "a.amr", b"#!AMR\n...", "a picture, a video or a file"),
        (FileKind.FILE, "空.txt", b"", "is empty"),
        (FileKind.IMAGE, "a.png", png() + bytes(10 * MIB), "10 MB at most"),
        (FileKind.FILE, "a.pdf", bytes(19 * MIB + 1), "19 MB at most"),
    ],
)
def test_what_no_platform_takes_is_refused_with_a_sentence_and_not_kept(
    kind: FileKind, name: str, content: bytes, said: str
) -> None:
    with pytest.raises(BadInput, match=said):
        keep_file(kind, name, content)
    assert not KeptFile.objects.exists()


@pytest.mark.django_db
def test_a_name_is_without_folders_and_keeps_its_ending() -> None:
    assert keep_file(FileKind.FILE, "C:\\秘密\\目录.pdf", b"some words").name == "目录.pdf"
    long = keep_file(FileKind.FILE, "长" * 200 + ".pdf", b"some words").name
    assert (len(long), long[-4:]) == (100, ".pdf")
    assert keep_file(FileKind.FILE, "../\u202e\n", b"some words").name == "file"


@pytest.mark.django_db(transaction=True)
def test_two_who_keep_the_same_at_once_have_one() -> None:
    def keep(number: int) -> str:
        try:
            return keep_file(FileKind.IMAGE, f"{number}.png", png()).digest
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(keep, range(4)))) == 1
    assert KeptFile.objects.count() == 1
