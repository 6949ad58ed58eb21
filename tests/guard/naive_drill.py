"""The ban drill by other means: plain Python over the operational tables, one person at a time; knows nothing of SQL
joins, of the warehouse or of the gate, and asks a connection for whole tables only."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

Rows = Callable[[str], Iterable[Any]]
ADDRESSED = {"sms": ("phone", False), "email": ("email", False), "oa": ("openid", True),
             "miniprogram": ("openid", True), "webhook": ("member", True)}  # fmt: skip
ROOT_STEP = 4


def ways_by_person(rows: Rows) -> dict[int, set[tuple[str, str, int]]]:
    """Of every surviving person the ways (channel, corp, account) by which marketing may reach them."""
    survivor = dict(rows("SELECT birth_id, survivor_id FROM people_personoverride"))
    births: dict[int, list[int]] = defaultdict(list)
    homes: dict[int, int | None] = {}
    shut: set[int] = set()
    for person, home, blocked, silent in rows("SELECT id, home_node, blocked, silent FROM people_person ORDER BY id"):
        whole = survivor.get(person, person)
        births[whole].append(person)
        if homes.get(whole) is None:
            homes[whole] = home
        if blocked or silent:
            shut.add(whole)
    words: dict[int, dict[str, tuple[Any, bool]]] = defaultdict(dict)
    for person, channel, granted, at in rows(
        "SELECT person_id, channel, granted, at FROM people_consent WHERE purpose = 'marketing' AND partner = ''"
    ):
        said = words[person].get(channel)
        if said is None or (at, not granted) > (said[0], not said[1]):
            words[person][channel] = (at, bool(granted))

    def agrees(whole: int, channel: str) -> bool:
        votes = []
        for birth in births[whole]:
            heard = [words[birth][name] for name in (channel, "*") if name in words.get(birth, {})]
            if heard:
                votes.append(max(heard, key=lambda one: (one[0], not one[1]))[1])
        return bool(votes) and all(votes)

    path = dict(rows("SELECT id, path FROM organisation_node"))
    accounts: dict[int, tuple[str, str, str]] = {
        account: (channel, corp, path[node])
        for account, channel, corp, node, on, there in rows(
            "SELECT a.id, a.channel, a.corp, s.node_id, a.active, s.active FROM organisation_senderaccount a "
            "JOIN organisation_staff s ON s.id = a.staff_id"
        )
        if on and there
    }
    by_channel: dict[str, list[int]] = defaultdict(list)
    for account, (channel, _, _) in accounts.items():
        by_channel[channel].append(account)
    found: dict[int, set[tuple[str, str, int]]] = defaultdict(set)

    def add(whole: int, account: int) -> None:
        channel, corp, _ = accounts[account]
        if whole not in shut and agrees(whole, channel):
            found[whole].add((channel, corp, account))

    def serves(account: int, whole: int) -> bool:
        place, home = accounts[account][2], homes.get(whole)
        return path[home].startswith(place) if home is not None else len(place) == ROOT_STEP

    for person, sender, added, lost in rows("SELECT person_id, sender, added_at, lost_at FROM people_relation"):
        if sender in accounts and added is not None and (lost is None or lost < added):
            add(survivor.get(person, person), sender)
    for whole in births:
        for account in by_channel["manual"]:
            if serves(account, whole):
                add(whole, account)
    for person, kind, space in rows(
        "SELECT person_id, kind, namespace FROM people_identifier WHERE hub = FALSE AND person_id IS NOT NULL"
    ):
        whole = survivor.get(person, person)
        for channel, (wanted, own) in ADDRESSED.items():
            for account in by_channel[channel]:
                if kind == wanted and space == (accounts[account][1] if own else "") and serves(account, whole):
                    add(whole, account)
    return found


def still_reachable(ways: dict[int, set[tuple[str, str, int]]]) -> dict[tuple[str, str], tuple[int, int]]:
    """For each (level, unit): whom it reaches, and how many of them another way still does."""
    found: dict[tuple[str, str], tuple[int, int]] = {}
    gone: dict[tuple[str, str], Callable[[tuple[str, str, int]], bool]] = {}
    for channel, corp, account in {way for some in ways.values() for way in some}:
        gone["account", str(account)] = lambda way, account=account: way[2] == account  # type: ignore[misc]
        gone["channel", channel] = lambda way, channel=channel: way[0] == channel  # type: ignore[misc]
        if channel == "wecom":
            gone["corp", corp] = lambda way, corp=corp: way[:2] == ("wecom", corp)  # type: ignore[misc]
    for unit, is_gone in gone.items():
        hit = [some for some in ways.values() if any(map(is_gone, some))]
        found[unit] = (len(hit), sum(any(not is_gone(way) for way in some) for some in hit))
    return found
