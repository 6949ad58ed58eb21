"""Transactions where there are none: which rows of ClickHouse's tables a statement sees, and how it changes them.

Writes are numbered, one after the other. Every statement of a write has a number of its own (`moment`), which its rows
carry as `born`. Nothing is changed in place: who deletes a row says it again with `gone`, and of two rows alike but for
that the later word counts (ReplacingMergeTree by `gone`, always read with FINAL). A table emptied whole has a `floor`:
what was born before it is gone. Then a single row says that the write is kept (`State`); that is the moment of truth.

- A question sees what was born, and not gone, before the end of the last write kept; a write also what it did itself.
- What a write that was not kept has left is seen by nobody, then and after: its number stands among the `undone`.
- Merging parts in the background loses nothing, since the later word on a row says all that the earlier one did.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec
from sqlglot import exp

STATEMENTS = 1 << 16
"""Moments of one write: the most statements it may have."""


class State(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the last write kept says of all tables."""

    floors: dict[str, int] = {}
    undone: list[tuple[int, int]] = []  # from, before: numbers of writes
    rewriting: bool = False
    rewritten: int = 0


@dataclass(frozen=True, slots=True)
class View:
    """What a statement sees: everything before `moment` that stands by `state`."""

    moment: int
    state: State = field(default_factory=State)

    def condition(self, table: str) -> str:
        """What is true of the rows of a table that are seen."""
        born, gone = [f"born < {self.moment}"], [f"gone = 0 OR gone >= {self.moment}"]
        if table in self.state.floors:
            born.append(f"born >= {self.state.floors[table]}")
        for first, end in self.state.undone:
            low, high = first * STATEMENTS, end * STATEMENTS
            born.append(f"NOT (born >= {low} AND born < {high})")
            gone.append(f"(gone >= {low} AND gone < {high})")
        return f"{' AND '.join(born)} AND ({' OR '.join(gone)})"


def end_of(write: int) -> int:
    """The moment after the last statement of a write."""
    return (write + 1) * STATEMENTS


def joined(ranges: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """The same numbers in as few ranges as possible."""
    found: list[tuple[int, int]] = []
    for first, end in sorted(ranges):
        if found and found[-1][1] >= first:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((first, end))
    return found


def free_tables(tree: exp.Expr) -> Iterator[exp.Table]:
    """The tables of a statement that none of its own WITHs names."""
    for table in list(tree.find_all(exp.Table)):
        if table.name and not table.db and not _of_with(table):
            yield table


def _of_with(table: exp.Table) -> bool:
    below: exp.Expr = table
    above = table.parent
    while above is not None:
        part = above.args.get("with_")
        if part is not None:
            known = part.expressions
            if below is part:  # inside one of them: those before it are known
                inside = next(index for index, one in enumerate(known) if _holds(one, table))
                known = known[:inside]
            if any(one.alias.lower() == table.name.lower() for one in known):
                return True
        below, above = above, above.parent
    return False


def _holds(tree: exp.Expr, table: exp.Table) -> bool:
    above: exp.Expr | None = table
    while above is not None and above is not tree:
        above = above.parent
    return above is tree


def resolve(tree: exp.Expr, stored: Sequence[str], instead: Mapping[str, str]) -> tuple[exp.Expr, set[str]]:
    """The tree with each table as ClickHouse is to read it, and the stored tables that it reads.

    `instead` says in ClickHouse's words what stands for a table of the statement's or the write's own.
    """
    read: set[str] = set()
    for table in free_tables(tree):
        name = table.name
        if name in instead:
            alias = table.args.get("alias") or exp.TableAlias(this=exp.to_identifier(name, quoted=True))
            fresh: exp.Expr = exp.Table(this=exp.Var(this=instead[name]), alias=alias.copy())
        elif name in stored:
            read.add(name)
            fresh = exp.Final(this=table.copy())
        else:
            continue
        for part in ("joins", "laterals"):
            if table.args.get(part):
                fresh.set(part, [one.copy() for one in table.args[part]])
        if table is tree:
            return fresh, read
        table.replace(fresh)
    return tree, read


def uncorrelated(tree: exp.Expr) -> exp.Expr:
    """The tree with each EXISTS that compares rows by equality said as IN: ClickHouse takes no correlated subquery
    where a table is spread over machines. What compares otherwise stays as it is."""
    for found in list(tree.find_all(exp.Exists)):
        said = _as_in(found)
        if said is not None:
            found.replace(said)
    return tree


def unfiltered(tree: exp.Expr) -> exp.Expr:
    """The tree with each FILTER of an aggregate that may be null said in its value. ClickHouse keeps it in the name
    (`sumOrNullIf`), to which a machine that is asked by another adds once more what stands there already."""
    for found in list(tree.find_all(exp.Filter)):
        whole, value = found.this, found.this.this
        if isinstance(whole, exp.Count | exp.ArrayAgg | exp.Anonymous) or not isinstance(whole, exp.AggFunc):
            continue
        if isinstance(value, exp.Expr) and not isinstance(value, exp.Distinct):
            condition = found.expression.this.copy()
            whole.set("this", exp.Case(ifs=[exp.If(this=condition, true=value.copy())]))
            found.replace(whole)
    return tree


def _as_in(found: exp.Exists) -> exp.Expr | None:
    inner = found.this
    where = inner.args.get("where") if isinstance(inner, exp.Select) else None
    if where is None or any(inner.args.get(part) for part in ("group", "having", "limit", "with_", "qualify")):
        return None
    own = {table.alias_or_name for table in inner.find_all(exp.Table)}
    pairs, rest = [], []
    for part in where.this.flatten() if isinstance(where.this, exp.And) else [where.this]:
        sides = _sides(part, own)
        if sides is not None:
            pairs.append(sides)
        elif _outside(part, own):
            return None
        else:
            rest.append(part.copy())
    if not pairs:
        return None
    beside = inner.copy()
    beside.set("expressions", [one.copy() for one, _other in pairs])
    beside.set("where", exp.Where(this=exp.and_(*rest, copy=False)) if rest else None)
    whose: exp.Expr = exp.Tuple(expressions=[other.copy() for _one, other in pairs])
    asked = exp.In(this=whose if len(pairs) > 1 else pairs[0][1].copy(), query=exp.Subquery(this=beside))
    # Where a value is null IN is null, and EXISTS is false.
    return exp.Coalesce(this=asked, expressions=[exp.false()])


def _sides(part: exp.Expr, own: set[str]) -> tuple[exp.Expr, exp.Expr] | None:
    """The inner and the outer side of an equality of the two."""
    if not isinstance(part, exp.EQ):
        return None
    for inner, outer in ((part.this, part.expression), (part.expression, part.this)):
        columns = list(outer.find_all(exp.Column))
        if columns and all(_outside(column, own) for column in columns) and not _outside(inner, own):
            return inner, outer
    return None


def _outside(tree: exp.Expr, own: set[str]) -> bool:
    """Whether it speaks of a table that the subquery does not have."""
    return any(column.table and column.table not in own for column in tree.find_all(exp.Column))
