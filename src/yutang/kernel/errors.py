"""Errors that a person reads: one sentence in Chinese, one in English, saying what to do."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass


class YutangError(Exception):
    """Something a person can put right. Carries one sentence per language."""

    def __init__(self, zh: str, en: str) -> None:
        super().__init__(zh, en)
        self.zh = zh
        self.en = en

    def sentence(self, language: str = "zh") -> str:
        """The sentence in the reader's language: English for `en…`, Chinese otherwise."""
        return self.en if language.lower().startswith("en") else self.zh

    def __str__(self) -> str:
        return self.sentence(os.environ.get("YUTANG_LANG", "en"))


class BadInput(YutangError, ValueError):
    """What was given cannot be used; nothing of it was kept. A ValueError, so that document validators may raise it."""


class NotFound(YutangError):
    """A thing was named that does not exist, or that this viewer may not see (one answer for both)."""


class Refused(YutangError):
    """The thing exists, but a rule of the house forbids the act."""


class WrongKey(YutangError):
    """The data directory was encrypted with another key."""


class OutOfSpace(YutangError):
    """The disk is full; the write was undone whole."""


class Unavailable(YutangError):
    """Something this act needs does not answer now; trying again later is right."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with one place of an input: where, what stood there (PII masked), and why it cannot stand."""

    where: str
    value: str
    zh: str
    en: str
    row: int | None = None


class BadDocument(BadInput):
    """A document with one or more problems, each with its place."""

    def __init__(self, name: str, problems: Sequence[Problem]) -> None:
        first = problems[0]
        more = len(problems) - 1
        super().__init__(
            f"文档「{name}」的 {first.where}：{first.zh}" + (f"（另有 {more} 处问题）" if more else ""),
            f"Document “{name}”, {first.where}: {first.en}" + (f" (and {more} more)" if more else ""),
        )
        self.problems = tuple(problems)
