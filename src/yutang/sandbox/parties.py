"""Whom lists of members and departments name: what several calls take as a range."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from yutang.sandbox.apps import seen_members
from yutang.sandbox.directory import all_seen, departments_seen, members_below
from yutang.sandbox.store import Settings
from yutang.sandbox.wire import Arguments, invalid


@dataclass(frozen=True, slots=True)
class Parties:
    """Members and departments that are there, and those that are not; whom the app does not see is not there."""

    users: list[str]
    parties: list[int]
    no_users: list[str]
    no_parties: list[int]

    @property
    def empty(self) -> bool:
        """Whether nothing that is there was named."""
        return not (self.users or self.parties)


def read_parties(
    con: sqlite3.Connection, settings: Settings, arguments: Arguments, users: int, parties: int
) -> Parties:
    """The `user_list` and `department_list` of a range, of at most so many each (40058)."""
    named = arguments.texts("user_list", users)
    numbers = arguments.values.get("department_list")
    if numbers is None:
        numbers = []
    if not isinstance(numbers, list) or len(numbers) > parties:
        raise invalid("department_list")
    if not all(isinstance(one, int) and not isinstance(one, bool) for one in numbers):
        raise invalid("department_list")
    return sort_parties(con, settings, named, list(dict.fromkeys(numbers)))


def sort_parties(con: sqlite3.Connection, settings: Settings, users: Sequence[str], parties: Sequence[int]) -> Parties:
    """Which of them are there. Members come back as the directory writes them, since their ids ignore case."""
    seen = {one.casefold(): one for one in everybody(con, settings)} if users else {}
    there = departments_seen(con, settings) if parties else set()
    return Parties(
        list(dict.fromkeys(seen[one.casefold()] for one in users if one.casefold() in seen)),
        [one for one in parties if one in there],
        [one for one in users if one.casefold() not in seen],
        [one for one in parties if one not in there],
    )


def members_of(con: sqlite3.Connection, settings: Settings, users: Sequence[str], parties: Sequence[int]) -> list[str]:
    """The members named, and those of the departments and of all below them whom the app sees."""
    below = members_below(con, settings, parties) if parties else []
    return sorted({*users, *_within(con, settings, below)})


def everybody(con: sqlite3.Connection, settings: Settings) -> list[str]:
    """Every member whom the app sees."""
    return _within(con, settings, all_seen(con, settings))


def _within(con: sqlite3.Connection, settings: Settings, members: Sequence[str]) -> list[str]:
    seen = seen_members(con, settings)
    return [one for one in members if seen is None or one.lower() in seen]
