"""Seeding: what a spec says becomes rows, once."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from yutang.kernel.errors import Refused
from yutang.sandbox.acquisition import first_quota
from yutang.sandbox.contracts import Relation, Spec, checked, digest, habit_weights
from yutang.sandbox.directory import put_directory
from yutang.sandbox.moments import put_habits
from yutang.sandbox.store import CONTACT_SYNC, MAIN, Settings, Store, find_settings, put


def seed(directory: Path, spec: Spec) -> bool:
    """Seed the sandbox in `directory`. False when this very spec was seeded last: then nothing is changed.

    Another spec of the same world replaces members, customers and relations by key; the clock, tasks and purchases
    stay. Raises Refused when the spec is another world (corp, rng seed or zone differ).
    """
    store = Store(directory)
    try:
        return seed_store(store, spec)
    finally:
        store.close()


def seed_store(store: Store, spec: Spec) -> bool:
    """`seed`, into an open store."""
    mark = digest(checked(spec))
    with store.write() as con:
        before = find_settings(con)
        if before is not None and before.digest == mark:
            return False
        if before is not None:
            _same_world(before, spec)
        put(
            con,
            corp_id=spec.corp_id,
            secret=spec.secret,
            seed=spec.seed,
            effect_days=spec.effect_days,
            zone=spec.zone,
            currency=spec.currency,
            cap=spec.cap,
            dispatch_seconds=spec.dispatch_seconds,
            token_seconds=spec.token_seconds,
            per_minute=spec.per_minute,
            per_hour=spec.per_hour,
            concurrent=spec.concurrent,
            trusted_ips=" ".join(spec.trusted_ips),
            arrivals_per_day=spec.arrivals_per_day,
            arrival_rate=spec.arrival_rate,
            digest=mark,
            now=before.now if before else int(spec.start_at.timestamp()),
            tasks=before.tasks if before else 0,
            ways=before.ways if before else 0,
            scans=before.scans if before else 0,
            scans_per_day=spec.scans_per_day,
            sync_secret=spec.sync_secret,
            agent_id=spec.agent_id,
            accounts=spec.account_cap,
            visible_departments=" ".join(map(str, spec.visible_departments)),
            old_app=spec.old_app,
            moments_per_minute=spec.moments_per_minute,
            moments_per_month=spec.moments_per_month,
        )
        con.execute(
            "INSERT INTO apps (agentid, name, secret, told) VALUES (?, '自建应用', ?, 1) "
            "ON CONFLICT (agentid) DO UPDATE SET secret = excluded.secret",
            (MAIN, spec.secret),
        )
        con.execute("DELETE FROM apps WHERE agentid = ?", (CONTACT_SYNC,))
        if spec.sync_secret:
            con.execute(
                "INSERT INTO apps (agentid, name, secret) VALUES (?, '通讯录同步', ?)", (CONTACT_SYNC, spec.sync_secret)
            )
        con.executemany(
            "INSERT OR REPLACE INTO members VALUES (?, ?, ?, ?)",
            (
                (one.userid, one.name, json.dumps(habit_weights(one), sort_keys=True), one.offgate_per_day)
                for one in spec.members
            ),
        )
        con.executemany(
            "INSERT OR REPLACE INTO customers VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                (
                    one.external_userid,
                    one.name,
                    one.member_no,
                    one.daily_rate,
                    one.basket_mu,
                    one.basket_sigma,
                    one.store_code,
                    json.dumps(dict(one.category_weights), sort_keys=True),
                    one.lift,
                    one.discount,
                )
                for one in spec.customers
            ),
        )
        put_habits(con, spec.members)
        put_relations(con, spec.relations)
        put_directory(con, spec.departments, spec.members)
        first_quota(con, int(spec.start_at.timestamp()))
    return True


def put_relations(con: sqlite3.Connection, relations: Iterable[Relation]) -> None:
    """Set relations by (member, customer)."""
    con.executemany(
        "INSERT OR REPLACE INTO relations VALUES (?, ?, ?, ?, ?, ?)",
        (
            (
                one.userid,
                one.external_userid,
                _seconds(one.added_at),
                _seconds(one.last_talk_at),
                _seconds(one.customer_deleted_at),
                _seconds(one.member_deleted_at),
            )
            for one in relations
        ),
    )


def _same_world(before: Settings, spec: Spec) -> None:
    if (before.corp_id, before.seed, before.zone) != (spec.corp_id, spec.seed, spec.zone):
        raise Refused(
            "这个目录里已是另一个沙盒世界（企业、随机种子或时区不同），请换一个目录。",
            "This directory holds another sandbox world (corp, seed or zone differ); use another directory.",
        )


def _seconds(at: datetime | None) -> int | None:
    return None if at is None else int(at.timestamp())
