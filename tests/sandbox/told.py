"""What a sandbox has told the corp, or would if anybody listened."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from defusedxml import ElementTree

from yutang.sandbox.store import FILE


def told(directory: Path) -> list[dict[str, str]]:
    """The elements of every callback so far, in order."""
    with closing(sqlite3.connect(directory / FILE)) as con:
        bodies = con.execute("SELECT body FROM callbacks ORDER BY id").fetchall()
    return [{child.tag: child.text or "" for child in ElementTree.fromstring(body)} for (body,) in bodies]
