"""Runs commands as a shell would, many in one process: starting one takes seconds."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests import stores

ROOT = Path(__file__).parents[2]
DRIVER = """
import json, os, sys
from click.testing import CliRunner
from yutang.app import house
from yutang.app.main import root
house.configure(house.data_directory())
answers = []
for language, words in json.loads(sys.stdin.read()):
    os.environ["YUTANG_LANG"] = language
    done = CliRunner().invoke(root(), words)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    answers.append([done.exit_code, done.stdout, done.stderr])
print(json.dumps(answers))
"""


@dataclass(frozen=True, slots=True)
class Said:
    """What a command answered."""

    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        """Its answer as JSON."""
        return json.loads(self.out)


def environment(directory: Path, language: str = "en") -> dict[str, str]:
    """The environment of a command on a data directory."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("YUTANG_", "DJANGO_"))}
    return {**kept, **stores.environment(directory), "YUTANG_LANG": language, "PYTHONPATH": str(ROOT / "src")}


def run(directory: Path, *commands: Sequence[str], language: str = "en") -> list[Said]:
    """The answers of commands that are run one after the other in one process of their own."""
    return run_in(directory, [(language, words) for words in commands])


def run_in(directory: Path, commands: Sequence[tuple[str, Sequence[str]]]) -> list[Said]:
    """As `run`, each command with its reader's language."""
    done = subprocess.run(
        [sys.executable, "-c", DRIVER],
        env=environment(directory),
        input=json.dumps([[language, list(words)] for language, words in commands]),
        capture_output=True,
        text=True,
        cwd=directory.parent,
    )
    assert done.returncode == 0, done.stderr
    assert "leaked" not in done.stderr, done.stderr
    return [Said(*answer) for answer in json.loads(done.stdout)]


def alone(directory: Path, *words: str, language: str = "en") -> Said:
    """One command in a process of its own, exactly as it is installed."""
    done = subprocess.run(
        [sys.executable, "-m", "yutang.app.main", *words],
        env=environment(directory, language),
        capture_output=True,
        text=True,
        cwd=directory.parent,
    )
    return Said(done.returncode, done.stdout, done.stderr)
