"""The house's own lints. Each was earned by something that goes wrong without it. Run by `make check`."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from yutang.kernel.failpoints import FAILPOINTS

SOURCE = Path(__file__).resolve().parents[2] / "src" / "yutang"

CLOCKS = {"datetime.now", "datetime.utcnow", "date.today", "timezone.now", "time.time", "time.monotonic"}
ABOUT_NO_PERSON = {"datetime | None", "Moment", "str", "int", "Context", "exp.Select"}

Complaint = tuple[int, str]
Lint = Callable[[Path, ast.Module], Iterator[Complaint]]


def room_of(path: Path) -> str:
    """The room that a file stands in."""
    return path.relative_to(SOURCE).parts[0]


def one_clock(path: Path, tree: ast.Module) -> Iterator[Complaint]:
    """A second clock runs apart from the first as soon as the demo's is sped up."""
    if path == SOURCE / "kernel" / "clock.py":
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in CLOCKS:
            yield node.lineno, f"{ast.unparse(node.func)}() reads a clock; use yutang.kernel.clock"


def one_way_out(path: Path, tree: ast.Module) -> Iterator[Complaint]:
    """A call to a platform from anywhere else goes round the gate."""
    if room_of(path) in ("channels", "sandbox", "app"):
        return
    for node in ast.walk(tree):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        if any(name.split(".")[0] in ("httpx", "requests", "urllib3", "aiohttp") for name in names):
            yield node.lineno, "only channels/ speaks to platforms"


def named_places(path: Path, tree: ast.Module) -> Iterator[Complaint]:
    """A place of which the list does not know dies of a ValueError once any place is armed."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "failpoint" and node.args:
            name = node.args[0]
            if isinstance(name, ast.Constant) and name.value not in FAILPOINTS:
                yield node.lineno, f"{name.value} is not in kernel/failpoints.py"


def private_models(path: Path, tree: ast.Module) -> Iterator[Complaint]:
    """A room that reads another's rows freezes them; it reads contracts, services and queries."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("yutang."):
            parts = (node.module or "").split(".")
            if len(parts) == 3 and parts[2] == "models" and parts[1] != room_of(path):
                yield node.lineno, f"{parts[1]}.models is private to its room"


def asks_who_is_looking(path: Path, tree: ast.Module) -> Iterator[Complaint]:
    """A read that takes no viewer shows everybody's rows to everybody."""
    if path.name != "queries.py" or room_of(path) in ("organisation", "documents", "log"):
        return
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            takes = {argument.arg for argument in [*node.args.args, *node.args.kwonlyargs]}
            reads = takes & {"warehouse", "persons", "person"}
            said = "nscoped because" in " ".join((ast.get_docstring(node) or "").split())
            if reads and "viewer" not in takes and not said and not _about_no_person(node):
                yield node.lineno, f"{node.name} takes no viewer and does not say why (“Unscoped because …”)"


def _about_no_person(node: ast.FunctionDef) -> bool:
    """Queries that answer with an instant, a query or a number of the whole installation name no rows."""
    return ast.unparse(node.returns or ast.Constant(None)) in ABOUT_NO_PERSON


def unfinished(path: Path, tree: ast.Module) -> Iterator[Complaint]:
    """What is not finished is not merged."""
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if any(word in line for word in ("TODO", "FIXME", "XXX", "NotImplementedError")):
            yield number, "unfinished"


def swallowed(path: Path, tree: ast.Module) -> Iterator[Complaint]:
    """An error that nobody hears of is found by a customer."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ExceptHandler) and all(isinstance(item, ast.Pass) for item in node.body):
            broad = node.type is None or ast.unparse(node.type) in {"Exception", "BaseException", "YutangError"}
            if broad:
                yield node.lineno, "an error is swallowed"


LINTS: tuple[Lint, ...] = (
    one_clock,
    one_way_out,
    named_places,
    private_models,
    asks_who_is_looking,
    unfinished,
    swallowed,
)


def complaints() -> list[str]:
    """Every complaint about every file."""
    found = []
    for path in sorted(SOURCE.rglob("*.py")):
        if "migrations" in path.parts:
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for lint in LINTS:
            found += [f"{path.relative_to(SOURCE)}:{line}: {text} [{lint.__name__}]" for line, text in lint(path, tree)]
    return found


if __name__ == "__main__":
    lines = complaints()
    print("\n".join(lines) or "house lints: nothing to say")
    sys.exit(bool(lines))
