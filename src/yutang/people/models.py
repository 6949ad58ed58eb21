"""The people's rows. Private to the room."""

from __future__ import annotations

from django.db import models

from yutang.kernel.clock import wall_now
from yutang.kernel.fields import EncryptedTextField


class Person(models.Model):
    """One human, as born with the first identifier. `bucket` (0–9999) is drawn once and never changes.

    `silent`: asked to be left in peace. `blocked`: never to be touched (complaint, erasure under way).
    """

    born_at = models.DateTimeField()
    home_node = models.BigIntegerField(null=True, db_index=True)
    name = EncryptedTextField(null=True)
    name_at = models.DateTimeField(null=True)
    bucket = models.PositiveSmallIntegerField()
    silent = models.BooleanField(default=False)
    blocked = models.BooleanField(default=False)
    risk = models.PositiveSmallIntegerField(default=0)
    synthetic = models.BooleanField(default=False)


class Identifier(models.Model):
    """An identifier and the person it was born with. `lookup` is the keyed hash of (kind, namespace, value).

    Strong identifiers have a birth person each; a weak one has none until it is seen alone. `hub`: it was seen beside
    too many others to say anything of who somebody is, and joins nobody any more.
    """

    kind = models.CharField(max_length=24)
    namespace = models.CharField(max_length=80, blank=True)
    lookup = models.BinaryField(max_length=16, unique=True)
    value = EncryptedTextField(lookup="lookup", by=("kind", "namespace"))
    person = models.ForeignKey(Person, models.PROTECT, null=True, related_name="identifiers")
    hub = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=wall_now)


class IdentifierSpace(models.Model):
    """A (kind, namespace) in which identifiers exist, so that a bare value can be looked up in each."""

    kind = models.CharField(max_length=24)
    namespace = models.CharField(max_length=80, blank=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=["kind", "namespace"], name="one_space_once"),)


class Counter(models.Model):
    """The next free id of a table whose rows are written in bulk. Its row is also the lock of resolution."""

    name = models.CharField(max_length=24, primary_key=True)
    next = models.BigIntegerField(default=1)


class Edge(models.Model):
    """Two identifiers were seen to be of one person. Components over strong edges are the persons."""

    first = models.ForeignKey(Identifier, models.CASCADE, related_name="+")
    second = models.ForeignKey(Identifier, models.CASCADE, related_name="+")
    seen_at = models.DateTimeField(default=wall_now)

    class Meta:
        constraints = (models.UniqueConstraint(fields=["first", "second"], name="one_edge_once"),)


class PersonOverride(models.Model):
    """A birth person whose component's survivor is another; flattened: survivors never have an override."""

    birth = models.OneToOneField(Person, models.CASCADE, primary_key=True, related_name="+")
    survivor = models.ForeignKey(Person, models.CASCADE, related_name="+")


class Relation(models.Model):
    """Person × sender account: a WeCom friendship; live if it was lost never, or before it was last added."""

    person = models.ForeignKey(Person, models.CASCADE, related_name="relations")
    sender = models.BigIntegerField(db_index=True)
    added_at = models.DateTimeField(null=True)
    lost_at = models.DateTimeField(null=True)
    last_talk_at = models.DateTimeField(null=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=["person", "sender"], name="one_relation_once"),)


class Consent(models.Model):
    """What a person said about one purpose on one channel (`*`: all); appended, the latest counts. Proof is kept."""

    person = models.ForeignKey(Person, models.CASCADE, related_name="consents")
    purpose = models.CharField(max_length=24)
    channel = models.CharField(max_length=16)
    granted = models.BooleanField()
    at = models.DateTimeField()
    proof = EncryptedTextField(null=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["person", "purpose", "channel", "at", "granted"], name="one_word_once"),
        )


class Tag(models.Model):
    """The latest word about a tag on a person: put on (`live`) or taken off."""

    person = models.ForeignKey(Person, models.CASCADE, related_name="tags")
    tag = models.CharField(max_length=64)
    at = models.DateTimeField()
    live = models.BooleanField(default=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=["person", "tag"], name="one_tag_once"),)


class ScopeRow(models.Model):
    """A node at whose viewers a person is visible: the home store, and the stores of live relations."""

    person = models.ForeignKey(Person, models.CASCADE, related_name="scope")
    node = models.BigIntegerField(db_index=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=["person", "node"], name="one_scope_once"),)


class Unmirrored(models.Model):
    """A person changed, and the warehouse has not been told yet. One row per change, written with the change."""

    person = models.BigIntegerField()
