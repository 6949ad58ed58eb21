"""What is kept sealed, found from the models themselves, and sealed anew under the active key, a portion at a time.

Nothing is noted of how far this came: a value says by what key it was sealed. So it may be killed anywhere, and run
twice at once, and beside whoever writes: a row is changed only while it is still what was read.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from django.apps import apps
from django.db import connection, models, transaction
from django.db.models.functions import Cast

from yutang.kernel.encryption import Keyring, keyring
from yutang.kernel.fields import EncryptedTextField, SealedField

PORTION = 500
MOST_BYTES = 8_000_000
_IN_TEXT = '"sealed:'  # what `Keyring.seal_text` writes, as JSON holds it


@dataclass(frozen=True, slots=True)
class Place:
    """A column that may hold sealed values."""

    model: type[models.Model]
    field: models.Field[Any, Any]

    @property
    def table(self) -> str:
        """The table, as the database names it."""
        return self.model._meta.db_table

    @property
    def column(self) -> str:
        """The column, as the database names it."""
        return str(self.field.column)

    @property
    def key(self) -> str:
        """The column of the table's ids."""
        return str(self.model._meta.pk.column)

    @property
    def name(self) -> str:
        """`table.column`."""
        return f"{self.table}.{self.column}"


def places() -> list[Place]:
    """Every column of every model in which something sealed may stand."""
    kinds = (EncryptedTextField, SealedField, models.JSONField)
    fields = ((model, field) for model in apps.get_models() for field in model._meta.local_concrete_fields)
    return [Place(model, field) for model, field in fields if isinstance(field, kinds)]


def left(place: Place, ring: Keyring) -> bool:
    """Whether anything there is still sealed by a former key."""
    return bool(_waiting(place, ring, None, 1))


def count_left(place: Place, ring: Keyring) -> int:
    """How many values there are still sealed by a former key."""
    if isinstance(place.field, models.JSONField):
        return sum(1 for _ in _waiting_texts(place, ring, None))
    chosen, marks = _chosen(place, ring)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM {_quote(place.table)} WHERE {chosen}", marks)  # noqa: S608 – our names
        return int(cursor.fetchone()[0])


def reseal(place: Place, after: Any = None, most: int = PORTION) -> tuple[int, Any]:
    """Seal anew at most so many values, in the order of ids, from `after` on. How many were, and after which id to go
    on; None: there are no more."""
    ring = keyring(fresh=True)
    waiting = _waiting(place, ring, after, most)
    ids: list[Any] = []
    size = 0
    for key, length in waiting:
        if ids and size + length > MOST_BYTES:
            break
        ids.append(key)
        size += length
    if ids and isinstance(place.field, models.JSONField):
        _write_texts(place, ring, ids)
    elif ids:
        _write(place, ring, _read(place, ring, ids))
    more = len(waiting) == most or len(ids) < len(waiting)
    return len(ids), ids[-1] if more else None


def _quote(name: str) -> str:
    return connection.ops.quote_name(name)


def _binary(value: bytes) -> Any:
    database: Any = connection
    return database.Database.Binary(value)


def _chosen(place: Place, ring: Keyring) -> tuple[str, list[Any]]:
    """The condition that a value was sealed by a former key."""
    marks = [ring.mark(name) for name in ring.former]
    chosen = " OR ".join(f"substr({_quote(place.column)}, 1, {len(mark)}) = %s" for mark in marks)
    return f"({chosen or '1 = 0'})", [_binary(mark) for mark in marks]


def _waiting(place: Place, ring: Keyring, after: Any, most: int) -> list[tuple[Any, int]]:
    """Id and size of the next rows sealed by a former key, by id. Reads under no lock."""
    if isinstance(place.field, models.JSONField):
        return list(islice(_waiting_texts(place, ring, after), most))
    chosen, marks = _chosen(place, ring)
    key = _quote(place.key)
    if after is not None:
        chosen, marks = f"{chosen} AND {key} > %s", [*marks, after]
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {key}, length({_quote(place.column)}) FROM {_quote(place.table)} "  # noqa: S608 – our names
            f"WHERE {chosen} ORDER BY {key} LIMIT {most}",
            marks,
        )
        return [(row, int(size)) for row, size in cursor.fetchall()]


def _read(place: Place, ring: Keyring, ids: list[Any]) -> list[tuple[Any, ...]]:
    """Id, sealed value, and of what else its look-up is made, of those rows that are still sealed by a former key."""
    names = map(_quote, (place.key, place.column, *getattr(place.field, "by", ())))
    chosen, marks = _chosen(place, ring)
    text = (
        f"SELECT {', '.join(names)} FROM {_quote(place.table)} "  # noqa: S608 – our names
        f"WHERE {_quote(place.key)} IN ({', '.join(['%s'] * len(ids))}) AND {chosen}"
    )
    with connection.cursor() as cursor:
        cursor.execute(text, [*ids, *marks])
        return [(row[0], bytes(row[1]), *row[2:]) for row in cursor.fetchall()]


def _write(place: Place, ring: Keyring, rows: list[tuple[Any, ...]]) -> None:
    field, columns = place.field, [place.column]
    assert isinstance(field, EncryptedTextField | SealedField)
    plain = [ring.decrypt_bytes(row[1], field.context) for row in rows]
    values = [[ring.encrypt_bytes(one, field.context) for one in plain]]
    if isinstance(field, EncryptedTextField) and field.lookup:
        said = ["\x1f".join([*row[2:], one.decode()]) for row, one in zip(rows, plain, strict=True)]
        columns.append(field.lookup)
        values.append(ring.lookup_hashes(said))
    text = (
        f"UPDATE {_quote(place.table)} SET {', '.join(f'{_quote(name)} = %s' for name in columns)} "  # noqa: S608
        f"WHERE {_quote(place.key)} = %s AND {_quote(place.column)} = %s"
    )
    changes = [(*map(_binary, new), row[0], _binary(row[1])) for row, *new in zip(rows, *values, strict=True)]
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.executemany(text, changes)


def _waiting_texts(place: Place, ring: Keyring, after: Any) -> Iterator[tuple[Any, int]]:
    name = place.field.attname
    rows = place.model._default_manager.annotate(_text=Cast(name, models.TextField())).filter(_text__contains=_IN_TEXT)
    if after is not None:
        rows = rows.filter(pk__gt=after)
    for pk, text, value in rows.order_by("pk").values_list("pk", "_text", name).iterator(PORTION):
        if ring.former and _anew(value, ring) != value:
            yield pk, len(text)


def _write_texts(place: Place, ring: Keyring, ids: list[Any]) -> None:
    name = place.field.attname
    for pk in ids:
        with transaction.atomic():
            rows = place.model._default_manager.select_for_update().filter(pk=pk)
            for value in list(rows.values_list(name, flat=True)):
                rows.update(**{name: _anew(value, ring)})


def _anew(value: Any, ring: Keyring) -> Any:
    """A JSON value with every sealed text in it under the active key."""
    match value:
        case str():
            return ring.reseal_text(value)
        case list():
            return [_anew(one, ring) for one in value]
        case dict():
            return {key: _anew(one, ring) for key, one in value.items()}
    return value
