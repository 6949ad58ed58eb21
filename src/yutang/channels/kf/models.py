"""Accounts of customer service and what was said there. Private to the room."""

from __future__ import annotations

from django.db import models

from yutang.kernel.clock import wall_now
from yutang.kernel.fields import EncryptedTextField, SealedField


class Account(models.Model):
    """An account, and how far it was read: `cursor` is the platform's word for that."""

    channel = models.CharField(max_length=16, default="wecom")
    corp = models.CharField(max_length=64)
    kfid = models.CharField(max_length=64)
    name = models.CharField(max_length=64, blank=True)
    cursor = models.CharField(max_length=80, blank=True)
    gone = models.BooleanField(default=False)
    read_at = models.DateTimeField(null=True)
    trouble = models.CharField(max_length=400, blank=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=["corp", "kfid"], name="one_service_account_once"),)


class Message(models.Model):
    """Something said or done in a conversation, once. `sealed`: what, as the platform tells it (JSON); `who` is the
    lasting look-up hash of the customer's id.

    Ours have a `state`, are claimed while they are being sent, and are known at the platform by `message_id`.
    """

    account = models.ForeignKey(Account, models.CASCADE, related_name="messages")
    message_id = models.CharField(max_length=64)
    who = models.BinaryField(max_length=16)
    customer = EncryptedTextField()
    at = models.DateTimeField()
    origin = models.CharField(max_length=8)
    servicer = models.CharField(max_length=64, blank=True)
    kind = models.CharField(max_length=24)
    sealed = SealedField(context="kf.message")
    state = models.CharField(max_length=8, blank=True)
    reason = models.CharField(max_length=400, blank=True)
    by = models.CharField(max_length=80, blank=True)
    tries = models.PositiveSmallIntegerField(default=0)
    not_before = models.DateTimeField(null=True)
    claimed_by = models.CharField(max_length=80, blank=True)
    claim_until = models.DateTimeField(null=True)
    made_at = models.DateTimeField(default=wall_now)

    class Meta:
        constraints = (models.UniqueConstraint(fields=["account", "message_id"], name="one_service_message_once"),)
        indexes = (
            models.Index(fields=["who", "at"], name="messages_of_a_customer"),
            models.Index(fields=["id"], condition=models.Q(state__in=["due", "doing", "unknown"]), name="answers_open"),
        )


class Conversation(models.Model):
    """One conversation of a customer at an account: from their first word until somebody closes it, or the platform.

    `who` and `customer` are as a message has them. `waiting_since`: the first word that nobody has answered; null where
    the house is not asked anything. `assigned` is whose it is (a user), `holder` who is writing in it until
    `held_until` (wall clock). `hand` (0–4) is where the platform has it as far as it was told, `servicer` who serves
    there; `wish` is where the house wants it, and `wished` for whom, until the platform has followed. `solved` and
    `rating` (1–3) are
    what came of it.
    """

    account = models.ForeignKey(Account, models.CASCADE, related_name="conversations")
    who = models.BinaryField(max_length=16)
    customer = EncryptedTextField()
    opened_at = models.DateTimeField()
    asked_at = models.DateTimeField()
    waiting_since = models.DateTimeField(null=True)
    first_answer_at = models.DateTimeField(null=True)
    answered_by = models.CharField(max_length=80, blank=True)
    assigned = models.CharField(max_length=80, blank=True, db_index=True)
    assigned_at = models.DateTimeField(null=True)
    holder = models.CharField(max_length=80, blank=True)
    held_until = models.DateTimeField(null=True)
    hand = models.PositiveSmallIntegerField(default=0)
    servicer = models.CharField(max_length=64, blank=True)
    wish = models.PositiveSmallIntegerField(null=True)
    wished = models.CharField(max_length=64, blank=True)
    wish_tries = models.PositiveSmallIntegerField(default=0)
    wish_after = models.DateTimeField(null=True)
    trouble = models.CharField(max_length=400, blank=True)
    closed_at = models.DateTimeField(null=True, db_index=True)
    closed_by = models.CharField(max_length=80, blank=True)
    solved = models.BooleanField(null=True)
    rating = models.PositiveSmallIntegerField(null=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["account", "who"], condition=models.Q(closed_at=None), name="one_open_conversation"
            ),
        )
        indexes = (
            models.Index(fields=["who", "opened_at"], name="conversations_of_a_customer"),
            models.Index(fields=["waiting_since"], condition=models.Q(closed_at=None), name="conversations_waiting"),
            models.Index(fields=["id"], condition=models.Q(wish__isnull=False), name="conversations_wished"),
        )


class OnDuty(models.Model):
    """Who takes conversations now: whoever is on duty is given the next that nobody has. `given_at`: when last."""

    username = models.CharField(max_length=80, primary_key=True)
    since = models.DateTimeField(default=wall_now)
    given_at = models.DateTimeField(null=True)
