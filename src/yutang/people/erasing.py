"""Taking a person out of the operational store, and what is held of one. `guard` calls this; nobody else does."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from django.db import models

from yutang.kernel.encryption import keyring
from yutang.kernel.ids import PersonId
from yutang.log.contracts import IdentifierValue
from yutang.people import bulk, identity, joining, memory, shunned
from yutang.people.models import (
    Consent,
    Crowd,
    Decision,
    Edge,
    GroupMember,
    Identifier,
    Person,
    PersonOverride,
    Preference,
    Relation,
    ScopeRow,
    Suspect,
    Tag,
    Unmirrored,
    Word,
)

_OWN: tuple[type[models.Model], ...] = (Consent, Preference, Relation, Tag, ScopeRow, GroupMember)


def births_with(person: PersonId) -> list[PersonId]:
    """Every birth person of the survivor of `person`, by number; empty where there is none. Unscoped because the caller
    has looked the person up as the viewer."""
    births = identity.births_of_survivors(identity.survivors_of([person]).values())
    return [PersonId(found) for (found,) in sorted(bulk.select(Person, ("id",), "id", births))]


def identifiers_with(births: Iterable[int]) -> list[IdentifierValue]:
    """The identifiers of birth persons, in clear."""
    rows = identity.rows_of(Identifier, ("kind", "namespace", "value"), births)
    return [IdentifierValue(kind, namespace, value or "") for kind, namespace, value in rows]


def lookups_of(identifiers: Sequence[IdentifierValue]) -> list[bytes]:
    """The lasting look-up hashes of identifiers: rooms above keep these where they keep no value."""
    ring = keyring()
    return [ring.lookup_hash(one.kind, one.namespace, one.value) for one in identifiers]


def counts_of(births: Sequence[int]) -> dict[str, int]:
    """How many rows there are of these birth persons, by what they are."""
    names = ("consents", "preferences", "relations", "tags", "scopes", "groups")
    found = {name: _rows(model, births) for name, model in zip(names, _OWN, strict=True)}
    return {"persons": len(births), "identifiers": _rows(Identifier, births), **found}


def _rows(model: type[models.Model], births: Sequence[int]) -> int:
    manager = model._default_manager
    return sum(manager.filter(person_id__in=part).count() for part in bulk.chunks(births))


def block(births: Sequence[int]) -> None:
    """Let nobody touch these birth persons any more, and know their identifiers as erased persons'. In the caller's
    transaction."""
    for part in bulk.chunks(births):
        Person.objects.filter(pk__in=part).update(blocked=True)
    shunned.shun(identifiers_with(births))
    joining.mark(births)


def forget(births: Sequence[int]) -> None:
    """Delete every row of these birth persons, in the caller's transaction: who they are, what they said, whose friends
    they are. Their numbers are never given again. Again does no harm."""
    rows = [row for (row,) in bulk.select(Identifier, ("id",), "person_id", births)]
    for column in ("first", "second"):
        bulk.delete(Word, column, rows)
        bulk.delete(Suspect, column, births)
    bulk.delete(Crowd, "identifier", rows)
    for column, numbers in (("person", births), ("other", births), ("identifier", rows)):
        for part in bulk.chunks(numbers):
            Decision.objects.filter(**{f"{column}__in": part}).update(reason=None, withdrawn_reason=None)
    for column in ("first_id", "second_id"):
        bulk.delete(Edge, column, rows)
    bulk.delete(Identifier, "id", rows)
    for model in _OWN:
        bulk.delete(model, "person_id", births)
    for column in ("birth_id", "survivor_id"):
        bulk.delete(PersonOverride, column, births)
    bulk.delete(Unmirrored, "person", births)
    bulk.delete(Person, "id", births)
    memory.forget_all()


def revived() -> set[PersonId]:
    """Persons who are here although one of their identifiers was erased: a backup was restored. Unscoped because it
    feeds the erasing of them."""
    found: set[PersonId] = set()
    rows = Identifier.objects.filter(person__isnull=False).values_list("person_id", "kind", "namespace", "value")
    for part in bulk.chunks(rows.iterator()):
        named = {IdentifierValue(kind, namespace, value or ""): person for person, kind, namespace, value in part}
        found |= {PersonId(named[one]) for one in shunned.among(named)}
    return found
