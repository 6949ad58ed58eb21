"""Which column of a file is which field: said, remembered from the last file of its shape, or guessed from its name."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from yutang.intake.kinds.contracts import Kind
from yutang.intake.kinds.fields import field, folded, names_of
from yutang.intake.models import RememberedMapping
from yutang.kernel.clock import wall_now
from yutang.kernel.errors import BadInput

SAID, REMEMBERED, NAMED, GUESSED = "said", "remembered", "named", "guessed"


@dataclass(frozen=True, slots=True)
class Recognised:
    """The column of each field that has one, and how that is known. `unused` columns are read by nobody; `doubtful`
    are fields of money for which several columns would do, so that none is taken."""

    columns: Mapping[str, str]
    how: Mapping[str, str]
    unused: tuple[str, ...] = ()
    doubtful: Mapping[str, tuple[str, ...]] | None = None


def known_to(kind: Kind, said: Mapping[str, str]) -> frozenset[str]:
    """The folded names that mean something in a file of that kind: by these its header is found."""
    names = {folded(column) for column in said.values()}
    return frozenset(names.union(*(names_of(name) for name in kind.fields)))


def recognise(
    kind: Kind,
    columns: Sequence[str],
    said: Mapping[str, str],
    constants: Mapping[str, str],
    remembered: Mapping[str, str],
    *,
    guess: bool = True,
) -> Recognised:
    """Which column is which; without `guess`, as said and no more. Raises BadInput for what was said of a field or a
    column that there is not."""
    _refuse_unknown(kind, columns, said, constants)
    chosen, how = dict(said), dict.fromkeys(said, SAID)
    doubtful: dict[str, tuple[str, ...]] = {}
    open_fields = [name for name in kind.fields if guess and name not in said and name not in constants]
    for name in open_fields:
        if (column := remembered.get(name)) in columns and column not in chosen.values():
            chosen[name], how[name] = str(column), REMEMBERED
    for name in open_fields:
        if name not in chosen and name in columns and name not in chosen.values():
            chosen[name], how[name] = name, NAMED
    for name in open_fields:
        if name in chosen:
            continue
        likely = _likely(name, [column for column in columns if column not in chosen.values()])
        if len(likely) > 1 and field(name).is_money:
            doubtful[name] = likely
        elif likely:
            chosen[name], how[name] = likely[0], GUESSED
    unused = tuple(column for column in columns if column not in chosen.values())
    return Recognised({name: chosen[name] for name in kind.fields if name in chosen}, how, unused, doubtful)


def _likely(name: str, columns: Sequence[str]) -> tuple[str, ...]:
    """The columns whose name is one of the field's, the most telling name first."""
    by_name = {folded(column): column for column in reversed(columns)}
    return tuple(by_name[also] for also in names_of(name) if also in by_name)


def _refuse_unknown(kind: Kind, columns: Sequence[str], said: Mapping[str, str], constants: Mapping[str, str]) -> None:
    for name in (*said, *constants):
        if name not in kind.fields:
            raise BadInput(
                f"没有「{name}」这一项，可用的有：{'、'.join(kind.fields)}。",
                f"There is no field “{name}”; there are {', '.join(kind.fields)}.",
            )
    for name, column in said.items():
        if column not in columns:
            raise BadInput(
                f"文件里没有「{column}」这一列，只有：{'、'.join(columns)}。",
                f"The file has no column “{column}”; it has {', '.join(columns)}.",
            )
        if name in constants:
            raise BadInput(
                f"「{name}」既指定了列，又给了固定值，请只留一个。",
                f"“{name}” was given both a column and a value for the whole file; keep one.",
            )
    for name in constants:
        if name not in kind.constants:
            raise BadInput(
                f"「{name}」不能对整个文件用同一个值，可以的有：{'、'.join(kind.constants) or '无'}。",
                f"“{name}” cannot be one value for the whole file; {', '.join(kind.constants) or 'none'} can.",
            )


def refuse_missing(kind: Kind, columns: Sequence[str], found: Recognised, constants: Mapping[str, str]) -> None:
    """Raise BadInput naming the fields that are needed and have neither a column nor a value."""
    there = "、".join(columns), ", ".join(columns)
    for name, likely in (found.doubtful or {}).items():
        if name in kind.required:
            raise BadInput(
                f"「{'、'.join(likely)}」都可能是 {name}（{field(name).zh}），请指明是哪一列：--map {name}=列名。",
                f"The columns {', '.join(likely)} could each be {name}; say which one with --map {name}=column.",
            )
    missing = [name for name in kind.required if name not in found.columns and name not in constants]
    if missing:
        zh = "、".join(f"{name}（{field(name).zh}）" if field(name).zh != name else name for name in missing)
        are = "are" if len(missing) > 1 else "is"
        raise BadInput(
            f"缺少「{zh}」这几列，文件里有：{there[0]}。请改列名，或用 --map 名称=列名。",
            f"The columns {', '.join(missing)} {are} missing; the file has {there[1]}. "
            "Rename them, or use --map name=column.",
        )
    for names, zh, en in (
        (kind.identity, "没有一列说明是哪位客户", "No column says which person"),
        (kind.one_of, "没有一列说明是什么时候", "No column says when"),
    ):
        if names and not any(name in found.columns for name in names):
            raise BadInput(
                f"{zh}（{'、'.join(names)}），文件里有：{there[0]}。",
                f"{en} ({', '.join(names)}); the file has {there[1]}.",
            )


def remembered(kind: Kind, source: str, columns: Sequence[str]) -> Mapping[str, str]:
    """The mapping by which the last file of that kind, source and set of columns was imported; empty where none was."""
    row = RememberedMapping.objects.filter(kind=kind.name, source=source, columns=_shape(columns)).first()
    return dict(row.mapping) if row is not None else {}


def remember(kind: Kind, source: str, columns: Sequence[str], mapping: Mapping[str, str]) -> None:
    """Keep the mapping that was accepted; the last one counts."""
    RememberedMapping.objects.update_or_create(
        kind=kind.name,
        source=source,
        columns=_shape(columns),
        defaults={"mapping": dict(mapping), "accepted_at": wall_now()},
    )


def _shape(columns: Sequence[str]) -> str:
    return hashlib.blake2b("\x1f".join(sorted(columns)).encode(), digest_size=32).hexdigest()
