"""Which of WeCom's calls is proven by which test: `python -m tests.channels.wecom.coverage` writes docs/wecom-calls.md.

A test names the calls it proves by `@pytest.mark.wecom("externalcontact/list", …)`, in literal strings. Where it stands
says what it proves: below tests/channels our connector, below tests/sandbox the sandbox, below tests/independent a
client that others wrote, talking to the sandbox; there `raw=True` says that others wrote only its transport (token,
envelope, errors) and the body follows the platform's own example.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
DOC = ROOT / "docs" / "wecom-calls.md"
CONNECTOR, SANDBOX, INDEPENDENT = "connector", "sandbox", "independent"
COLUMNS = {"tests/channels": CONNECTOR, "tests/sandbox": SANDBOX, "tests/independent": INDEPENDENT}


@dataclass(frozen=True, slots=True)
class Proof:
    """A test, and whether it is others' transport alone that speaks."""

    test: str
    raw: bool


def families() -> dict[str, dict[str, str]]:
    """The calls of each family, with the reason why it is left out, or an empty one."""
    found: dict[str, dict[str, str]] = {}
    for line in (HERE / "calls.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            calls = found.setdefault(line.strip("[]"), {})
        elif line.startswith("- "):
            call, _, why = line[2:].partition(": ")
            calls[call] = why
        elif line and not line.startswith("#"):
            calls[line] = ""
    return found


def proofs() -> dict[tuple[str, str], list[Proof]]:
    """The tests by (call, column)."""
    found: dict[tuple[str, str], list[Proof]] = {}
    for folder, column in COLUMNS.items():
        for path in sorted((ROOT / folder).rglob("test_*.py")):
            for function in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(function, ast.FunctionDef) and function.name.startswith("test_"):
                    test = f"{path.relative_to(ROOT)}::{function.name}"
                    for call, raw in _marked(function):
                        found.setdefault((call, column), []).append(Proof(test, raw))
    return found


def _marked(function: ast.FunctionDef) -> Iterator[tuple[str, bool]]:
    for decorator in function.decorator_list:
        for node in ast.walk(decorator):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "wecom":
                raw = any(keyword.arg == "raw" for keyword in node.keywords)
                for one in node.args:
                    yield str(ast.literal_eval(one)), raw


def document() -> str:
    """The table, by family: in each cell how many tests prove it, ○ where only others' transport spoke."""
    told = proofs()
    whole = [call for calls in families().values() for call, why in calls.items() if not why]
    counts = {column: sum((call, column) in told for call in whole) for column in COLUMNS.values()}
    lines = [
        "# WeCom's calls, and what proves them",
        "",
        "Written by `python -m tests.channels.wecom.coverage` from the marks of the tests; the suite fails when it is",
        "not up to date. A number: so many tests. Connector: our code. Sandbox: ours, asked by hand with the documents",
        "beside it. Independent: a client that others wrote, talking to the sandbox; ○ where it has no method of its",
        "own for the call, so that its transport carries the body of the platform's example.",
        "",
        f"{len(whole)} calls; " + ", ".join(f"{column} {count}" for column, count in counts.items()) + ".",
    ]
    for family, calls in families().items():
        lines += ["", f"## {family}", "", "| call | connector | sandbox | independent |", "|---|---|---|---|"]
        for call, why in calls.items():
            cells = [why, "", ""] if why else [_cell(told.get((call, column), [])) for column in COLUMNS.values()]
            lines.append(f"| `{call}` | {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


def _cell(found: list[Proof]) -> str:
    if not found:
        return "—"
    return f"{len(found)}{' ○' if all(proof.raw for proof in found) else ''}"


if __name__ == "__main__":
    DOC.write_text(document(), encoding="utf-8")
    sys.stdout.write(document().splitlines()[7] + "\n")
