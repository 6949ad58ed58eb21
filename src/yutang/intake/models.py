"""The pump's and the importers' state. Private to the room."""

from __future__ import annotations

from django.db import models

from yutang.kernel.clock import wall_now
from yutang.kernel.fields import EncryptedTextField, SealedField


class Slice(models.Model):
    """A set of envelopes fixed before it is appended to the warehouse, so that a replay sends the same."""

    created_at = models.DateTimeField(default=wall_now)
    done = models.BooleanField(default=False, db_index=True)


class Lease(models.Model):
    """Who may do a thing that one process at a time does. `token` fences: it grows with every holder."""

    name = models.CharField(max_length=40, primary_key=True)
    holder = models.CharField(max_length=80)
    token = models.BigIntegerField(default=0)
    until = models.DateTimeField()


class Pulse(models.Model):
    """When a process of the house was last seen alive, by each of the shares (`web`, `worker`, `clock`) that it has."""

    holder = models.CharField(max_length=80)
    role = models.CharField(max_length=12)
    started_at = models.DateTimeField(default=wall_now)
    seen_at = models.DateTimeField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=["holder", "role"], name="one_pulse_each"),)


class Import(models.Model):
    """A file on its way in. Its chunks are fixed files; `chunks_done` of them stand in the warehouse.

    Uploaded: `upload` names its sealed file, `wish` is how it is to be read (JSON), `glance` its first rows (JSON),
    `report` what became of it, `tries` how often it was begun.
    `stage`, `done` and `of` are how far it is since `stage_at`; `said_zh` and `said_en` why it was refused.
    """

    kind = models.CharField(max_length=16)
    source = models.CharField(max_length=80)
    digest = models.CharField(max_length=64)
    mapping = models.JSONField(default=dict)
    state = models.CharField(max_length=12, default="reading", db_index=True)
    rows = models.BigIntegerField(default=0)
    accepted = models.BigIntegerField(default=0)
    refused = models.BigIntegerField(default=0)
    chunks = models.IntegerField(default=0)
    chunks_done = models.IntegerField(default=0)
    started_at = models.DateTimeField(default=wall_now)
    finished_at = models.DateTimeField(null=True)
    author = models.CharField(max_length=80)
    name = EncryptedTextField(null=True)
    size = models.BigIntegerField(default=0)
    upload = models.CharField(max_length=40, blank=True)
    wish = EncryptedTextField(null=True)
    glance = EncryptedTextField(null=True)
    as_of = models.DateTimeField(null=True)
    report = models.JSONField(null=True)
    tries = models.PositiveSmallIntegerField(default=0)
    stage = models.CharField(max_length=16, blank=True)
    stage_at = models.DateTimeField(null=True)
    done = models.BigIntegerField(default=0)
    of = models.BigIntegerField(default=0)
    cancelled = models.BooleanField(default=False)
    said_zh = models.TextField(blank=True)
    said_en = models.TextField(blank=True)


class RememberedMapping(models.Model):
    """Which column was which field when a file of this kind, source and set of columns was last imported."""

    kind = models.CharField(max_length=16)
    source = models.CharField(max_length=80)
    columns = models.CharField(max_length=64)
    mapping = models.JSONField(default=dict)
    accepted_at = models.DateTimeField(default=wall_now)

    class Meta:
        constraints = (models.UniqueConstraint(fields=["kind", "source", "columns"], name="one_mapping_a_shape"),)


class WriteKey(models.Model):
    """By what a client names itself to the collect API. Only a keyed hash of the key is kept.

    `source` is where its events are said to come from, and the namespace of its member numbers and devices. `types`
    empty: every type. `rate`: events a second, 0 for no limit. `origins`: pages that may send (CORS). `trusted`: a
    server's, whose word on phones, e-mails and unionids counts. `members`: its userId is a member number.
    """

    name = models.CharField(max_length=80)
    digest = models.BinaryField(max_length=16, unique=True)
    source = models.CharField(max_length=24)
    types = models.JSONField(default=list)
    rate = models.PositiveIntegerField(default=0)
    origins = models.JSONField(default=list)
    trusted = models.BooleanField(default=False)
    members = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=wall_now)
    revoked_at = models.DateTimeField(null=True)


class HeldMessage(models.Model):
    """A message that was accepted and is no event yet: its type or a field is not known. Sealed as it came.

    `mark` is a keyed hash of its source and id, so that a second arrival is not held twice.
    """

    key = models.ForeignKey(WriteKey, models.CASCADE)
    mark = models.BinaryField(max_length=16, unique=True)
    type = models.CharField(max_length=120)
    problem = models.CharField(max_length=160)
    received_at = models.DateTimeField()
    sealed = SealedField(context="intake_heldmessage.sealed")

    class Meta:
        indexes = (models.Index(fields=["key", "type", "problem"], name="held_by_problem"),)


class Violation(models.Model):
    """How often messages of a type met a problem on a (UTC) day, and how many of them were let go unread."""

    key = models.ForeignKey(WriteKey, models.CASCADE)
    day = models.DateField()
    type = models.CharField(max_length=120)
    problem = models.CharField(max_length=160)
    zh = models.CharField(max_length=240)
    en = models.CharField(max_length=240)
    seen = models.PositiveBigIntegerField(default=0)
    let_go = models.PositiveBigIntegerField(default=0)

    class Meta:
        constraints = (models.UniqueConstraint(fields=["key", "day", "type", "problem"], name="one_count_a_day"),)


class FixedTime(models.Model):
    """The time that was given to an event whose sender's clock was wrong or silent: the first arrival's counts.

    Its second arrival would otherwise be corrected by a hair more or less, and count as another event.
    """

    mark = models.BinaryField(max_length=16, primary_key=True)
    occurred_at = models.DateTimeField()
    noted_at = models.DateTimeField(default=wall_now, db_index=True)


class Hook(models.Model):
    """An address at which a platform pushes; what it says is the current webhook document of its name.

    `key` is never given to anybody: under it what cannot be mapped is held and counted, as any sender's is. `secret` is
    what the platform signs with, `place` a keyed hash of the secret part of an address that has one, `client` the
    platform's public name of us. Refusals are counted at most every few seconds: anybody may cause them.
    """

    name = models.CharField(max_length=63, unique=True)
    key = models.OneToOneField(WriteKey, models.PROTECT, related_name="hook")
    secret = EncryptedTextField(null=True)
    place = models.BinaryField(max_length=16, null=True)
    client = models.CharField(max_length=120, blank=True)
    active = models.BooleanField(default=True)
    made_at = models.DateTimeField(default=wall_now)
    last_at = models.DateTimeField(null=True)
    refused = models.PositiveIntegerField(default=0)
    refused_at = models.DateTimeField(null=True)


class HookDelivery(models.Model):
    """A delivery, sealed as it came. `mark` is a keyed hash of its webhook and its id: a second arrival is counted."""

    hook = models.ForeignKey(Hook, models.CASCADE, related_name="deliveries")
    mark = models.BinaryField(max_length=16, unique=True)
    called = models.CharField(max_length=120)
    received_at = models.DateTimeField()
    outcome = models.CharField(max_length=8)
    events = models.PositiveIntegerField(default=0)
    repeats = models.PositiveIntegerField(default=0)
    sealed = SealedField(context="intake_hookdelivery.sealed")

    class Meta:
        indexes = (models.Index(fields=["hook", "received_at"], name="deliveries_by_time"),)
