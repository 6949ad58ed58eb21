"""Runs of syncs, hints, and what was told of last. Private to the room."""

from __future__ import annotations

from django.db import models

from yutang.kernel.clock import wall_now
from yutang.kernel.fields import SealedField


class SyncRun(models.Model):
    """One run of a kind of sync for a corp. `cursor`: where its sync stands, in the sync's own words, nothing personal.

    It is asked for (`begun_at`), worked at under a claim (`started_at`: first), and ends. Of a kind and corp one is
    open at a time.
    """

    channel = models.CharField(max_length=16)
    corp = models.CharField(max_length=64)
    kind = models.CharField(max_length=24)
    state = models.CharField(max_length=8, default="waiting")
    first = models.BooleanField(default=False)
    by = models.CharField(max_length=80, blank=True)
    cursor = models.JSONField(default=dict)
    done = models.PositiveBigIntegerField(default=0)
    total = models.PositiveBigIntegerField(default=0)
    read = models.PositiveBigIntegerField(default=0)
    added = models.PositiveBigIntegerField(default=0)
    changed = models.PositiveBigIntegerField(default=0)
    ended = models.PositiveBigIntegerField(default=0)
    note_zh = models.CharField(max_length=300, blank=True)
    note_en = models.CharField(max_length=300, blank=True)
    error_zh = models.CharField(max_length=500, blank=True)
    error_en = models.CharField(max_length=500, blank=True)
    tries = models.PositiveSmallIntegerField(default=0)
    not_before = models.DateTimeField(null=True)
    claimed_by = models.CharField(max_length=80, blank=True)
    claim_until = models.DateTimeField(null=True)
    begun_at = models.DateTimeField(default=wall_now)
    started_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["channel", "corp", "kind"],
                condition=models.Q(state__in=["waiting", "doing"]),
                name="one_open_run",
            ),
        )
        indexes = (models.Index(fields=["channel", "corp", "kind", "-id"], name="runs_of_a_kind"),)


class SyncHint(models.Model):
    """Something is to be read again. `told` counts how often it was told of, so that what is told while it is being
    read is not taken for done. It goes as soon as it was read."""

    channel = models.CharField(max_length=16)
    corp = models.CharField(max_length=64)
    kind = models.CharField(max_length=24)
    ref = models.CharField(max_length=160)
    told = models.PositiveIntegerField(default=1)
    tries = models.PositiveSmallIntegerField(default=0)
    not_before = models.DateTimeField(default=wall_now)
    claimed_by = models.CharField(max_length=80, blank=True)
    claim_until = models.DateTimeField(null=True)
    made_at = models.DateTimeField(default=wall_now)

    class Meta:
        constraints = (models.UniqueConstraint(fields=["channel", "corp", "kind", "ref"], name="one_hint_once"),)
        indexes = (models.Index(fields=["not_before", "id"], name="hints_due"),)


class KnownRelation(models.Model):
    """A relation of one of our accounts and a customer, as the platform and its callbacks told of it last.

    `who` stands for the corp and the customer's id there (a keyed hash, for ever the same). Times are Unix seconds, as
    the platform says them: `added` since when it stands; `ended` when the member ended it, or since when the platform
    shows it no more; `left` when the customer ended it, which calls never show. It stands while neither is as late as
    `added` (null: not known to have begun). `tags` are the ids of corp tags on it; `mark` stands for whatever else was
    told (empty: only callbacks told of it so far); `sealed` holds the customer's id, and what the member wrote.
    """

    sender = models.BigIntegerField(db_index=True)
    who = models.BinaryField(max_length=16)
    added = models.BigIntegerField(null=True)
    ended = models.BigIntegerField(null=True)
    left = models.BigIntegerField(null=True)
    add_way = models.PositiveSmallIntegerField(default=0)
    tags = models.JSONField(default=list)
    mark = models.BinaryField(max_length=16, default=b"")
    sealed = SealedField(context="channels_knownrelation.sealed")

    class Meta:
        constraints = (models.UniqueConstraint(fields=["who", "sender"], name="one_known_relation_once"),)


class KnownTag(models.Model):
    """A tag of a corp as the platform told of it last; `gone`: it is there no more.

    `ours` is what it is called here: its name when it was first seen, with its group's where another there has that
    name. It stays when the platform renames it, since segments and plans name it.
    """

    channel = models.CharField(max_length=16)
    corp = models.CharField(max_length=64)
    tag_id = models.CharField(max_length=64)
    group_id = models.CharField(max_length=64)
    name = models.CharField(max_length=64)
    group = models.CharField(max_length=64)
    ours = models.CharField(max_length=64)
    gone = models.BooleanField(default=False)
    seen_at = models.DateTimeField(default=wall_now)

    class Meta:
        constraints = (models.UniqueConstraint(fields=["channel", "corp", "tag_id"], name="one_known_tag_once"),)


class TagWish(models.Model):
    """A tag was put on or taken off here, and the platform is to follow; gone once it does. `sealed`: the event."""

    event_id = models.CharField(max_length=128, unique=True)
    sealed = SealedField(context="inbox.envelope")
    made_at = models.DateTimeField(default=wall_now, db_index=True)


class StaffSend(models.Model):
    """What one member sent on their own, or beside the gate, and whether all that will be told of it was read.

    `ref` is the platform's id of the send; `member` the userid, empty while it must still be asked who was asked. The
    times `made_at` and `sent_at` are the platform's. `said` stands for its words, which are not kept; `reached` are the
    persons (of a moment: those who could see it). `read_at`: when it was read last, by the wall clock.
    """

    channel = models.CharField(max_length=16)
    corp = models.CharField(max_length=64)
    kind = models.CharField(max_length=8)
    ref = models.CharField(max_length=64)
    member = models.CharField(max_length=64, blank=True)
    said = models.CharField(max_length=32)
    made_at = models.DateTimeField(db_index=True)
    reached = models.PositiveIntegerField(default=0)
    done = models.BooleanField(default=False)
    read_at = models.DateTimeField(null=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["channel", "corp", "ref", "member"], name="one_staff_send_once"),
        )
        indexes = (
            models.Index(fields=["channel", "corp", "id"], condition=models.Q(done=False), name="staff_sends_open"),
        )


class SendsListed(models.Model):
    """Up to when (business time) the sends of a kind were listed."""

    channel = models.CharField(max_length=16)
    corp = models.CharField(max_length=64)
    kind = models.CharField(max_length=8)
    upto = models.DateTimeField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=["channel", "corp", "kind"], name="one_list_of_sends"),)
