"""Both languages are complete: every text has its English, and the compiled catalogue is the written one."""

from __future__ import annotations

import gettext
import re

import polib
import pytest

from tests.console.messages import CATALOGUE, asked

CHINESE = re.compile(r"[\u3400-\u9fff]")
PLACE = re.compile(r"%\(\w+\)[sd]")


@pytest.fixture(scope="module")
def catalogue() -> polib.POFile:
    return polib.pofile(str(CATALOGUE), check_for_duplicates=True)


def _texts(entry: polib.POEntry) -> list[str]:
    return list(entry.msgstr_plural.values()) if entry.msgid_plural else [entry.msgstr]


def test_every_text_has_its_english(catalogue: polib.POFile) -> None:
    written = {entry.msgid for entry in catalogue if all(_texts(entry))}
    missing = {text: where for text, where in asked().items() if text not in written and CHINESE.search(text)}
    assert not missing


def test_no_english_text_is_chinese_or_unused(catalogue: polib.POFile) -> None:
    assert not [entry.msgid for entry in catalogue if any(CHINESE.search(text) for text in _texts(entry))]
    assert not {entry.msgid for entry in catalogue} - set(asked())


def test_a_translation_fills_the_same_places(catalogue: polib.POFile) -> None:
    for entry in catalogue:
        for text in _texts(entry):
            assert set(PLACE.findall(text)) <= set(PLACE.findall(entry.msgid)), entry.msgid


def test_the_compiled_catalogue_equals_the_written_one(catalogue: polib.POFile) -> None:
    with CATALOGUE.with_suffix(".mo").open("rb") as file:
        compiled = gettext.GNUTranslations(file)
    for entry in catalogue:
        if entry.msgid_plural:
            assert [compiled.ngettext(entry.msgid, entry.msgid_plural, n) for n in (1, 2)] == _texts(entry)
        else:
            assert compiled.gettext(entry.msgid) == entry.msgstr
