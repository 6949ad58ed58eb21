"""Contact ways as they stand: their public address, their codes at the platform, who came by them."""

from __future__ import annotations

from django.db import models

from yutang.connect.contracts import CodeState, GroupWayState
from yutang.kernel.clock import wall_now
from yutang.kernel.fields import EncryptedTextField


class Way(models.Model):
    """A contact way that somebody can open; what it says is the current document of its name.

    `picture` is the QR picture of a way without an API, as it was uploaded.
    """

    name = models.CharField(max_length=63, unique=True)
    slug = models.CharField(max_length=16, unique=True)
    picture = models.BinaryField(null=True)
    picture_type = models.CharField(max_length=24, blank=True)
    made_at = models.DateTimeField(default=wall_now)


class Code(models.Model):
    """A QR code at the platform. `node` 0: the whole way's; else a store's. `token` is the state by which we know it.

    `users` and `wish` are whom the platform was last told, and whom it should lead to (sorted, as JSON lists).
    `full`: everyone on duty has had their share of the day.
    """

    way = models.ForeignKey(Way, models.CASCADE, related_name="codes")
    node = models.BigIntegerField(default=0)
    corp = models.CharField(max_length=64)
    token = models.CharField(max_length=30, unique=True)
    state = models.CharField(max_length=10, default=CodeState.WANTED.value, db_index=True)
    config_id = models.CharField(max_length=128, blank=True)
    qr_code = models.CharField(max_length=2048, blank=True)
    users = models.JSONField(default=list)
    wish = models.JSONField(default=list)
    told = models.CharField(max_length=64, blank=True)
    full = models.BooleanField(default=False)
    called_at = models.DateTimeField(null=True)
    called_by = models.CharField(max_length=80, blank=True)
    calls = models.PositiveIntegerField(default=0)
    not_before = models.DateTimeField(null=True)
    trouble = models.CharField(max_length=400, blank=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["way", "node", "corp"], name="one_code_once"),
            models.UniqueConstraint(fields=["config_id"], condition=~models.Q(config_id=""), name="one_config_once"),
        )


class GroupWay(models.Model):
    """A code that leads into groups, one after another (群活码). `token` is the state by which we know who came by it.

    `groups` are those that it should lead into, by their ids; `there` those that the platform says, with the ones that
    it created by itself, as of `read_at` (wall clock). With a `room_name` it creates more, numbered from `room_number`.
    `told`: what the platform was last told, as a short text. `node`: the store to which it belongs, 0: the brand.
    """

    title = models.CharField(max_length=60)
    corp = models.CharField(max_length=64)
    node = models.BigIntegerField(default=0, db_index=True)
    token = models.CharField(max_length=30, unique=True)
    groups = models.JSONField(default=list)
    there = models.JSONField(default=list)
    room_name = models.CharField(max_length=40, blank=True)
    room_number = models.PositiveIntegerField(default=1)
    state = models.CharField(max_length=10, default=GroupWayState.WANTED.value, db_index=True)
    config_id = models.CharField(max_length=128, blank=True)
    qr_code = models.CharField(max_length=2048, blank=True)
    told = models.CharField(max_length=64, blank=True)
    read_at = models.DateTimeField(null=True)
    called_at = models.DateTimeField(null=True)
    called_by = models.CharField(max_length=80, blank=True)
    lost = models.PositiveIntegerField(default=0)
    not_before = models.DateTimeField(null=True)
    trouble = models.CharField(max_length=400, blank=True)
    made_by = models.CharField(max_length=80)
    made_at = models.DateTimeField(default=wall_now)


class Join(models.Model):
    """Somebody came by a way to a member of staff; `who` is the look-up hash of their id. For the day's limit."""

    way = models.CharField(max_length=63)
    userid = models.CharField(max_length=64)
    who = models.BinaryField(max_length=16)
    at = models.DateTimeField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=["way", "userid", "who"], name="one_join_once"),)
        indexes = (models.Index(fields=["at"]),)


class LeadStep(models.Model):
    """How far a lead (by its event) was worked: appended, the latest counts."""

    lead = models.CharField(max_length=128, db_index=True)
    state = models.CharField(max_length=10)
    by = models.CharField(max_length=80)
    at = models.DateTimeField(default=wall_now)


class Handover(models.Model):
    """A customer goes from one member to another: asked for here first, then at the platform; see `inheritance`.

    Of one customer, one is under way at a time. `who` is the lasting look-up hash of the customer's id. `replaced`: it
    failed, and the customer was asked for anew.
    """

    corp = models.CharField(max_length=64)
    handover = models.CharField(max_length=64)
    takeover = models.CharField(max_length=64)
    resigned = models.BooleanField()
    who = models.BinaryField(max_length=16)
    customer = EncryptedTextField()
    message = models.CharField(max_length=200, blank=True)
    state = models.CharField(max_length=10, default="wanted", db_index=True)
    reason = models.CharField(max_length=400, blank=True)
    by = models.CharField(max_length=80)
    asked_at = models.DateTimeField()
    begun_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    not_before = models.DateTimeField(null=True)
    claimed_by = models.CharField(max_length=80, blank=True)
    claim_until = models.DateTimeField(null=True)
    replaced = models.BooleanField(default=False, db_default=False)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["corp", "who"],
                condition=models.Q(state__in=["wanted", "calling", "unknown", "waiting"]),
                name="one_open_handover",
            ),
        )
        indexes = (
            models.Index(fields=["who", "asked_at"], name="handovers_of_a_customer"),
            models.Index(fields=["corp", "handover", "state"], name="handovers_of_a_member"),
        )


class GroupHandover(models.Model):
    """A group goes from one owner to another: asked for here first, then at the platform; see `group_handover`.

    Of one group, one is under way at a time. `tries`: how often the platform said that it was too much for the day.
    """

    corp = models.CharField(max_length=64)
    chat = models.CharField(max_length=128)
    handover = models.CharField(max_length=64)
    takeover = models.CharField(max_length=64)
    resigned = models.BooleanField()
    state = models.CharField(max_length=10, default="wanted", db_index=True)
    reason = models.CharField(max_length=400, blank=True)
    by = models.CharField(max_length=80)
    asked_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    not_before = models.DateTimeField(null=True)
    tries = models.PositiveSmallIntegerField(default=0)
    claimed_by = models.CharField(max_length=80, blank=True)
    claim_until = models.DateTimeField(null=True)
    replaced = models.BooleanField(default=False)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["corp", "chat"],
                condition=models.Q(state__in=["wanted", "calling", "unknown"]),
                name="one_open_group_handover",
            ),
        )
        indexes = (
            models.Index(fields=["chat", "asked_at"], name="handovers_of_a_group"),
            models.Index(fields=["corp", "takeover", "state"], name="groups_of_a_taker"),
        )


class Left(models.Model):
    """A customer of a member who left, whom nobody has taken over, as the platform last told."""

    corp = models.CharField(max_length=64)
    handover = models.CharField(max_length=64)
    who = models.BinaryField(max_length=16)
    customer = EncryptedTextField()
    left_at = models.DateTimeField(null=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=["corp", "handover", "who"], name="one_left_once"),)
