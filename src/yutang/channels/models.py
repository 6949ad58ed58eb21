"""What platforms told us, as they told it. Private to the room."""

from __future__ import annotations

from django.db import models

from yutang.kernel.clock import wall_now
from yutang.kernel.fields import EncryptedTextField, SealedField


class Callback(models.Model):
    """One body that a platform posted, sealed, once. `event` names what was recorded of it; empty: not handled yet."""

    channel = models.CharField(max_length=16)
    corp = models.CharField(max_length=64)
    digest = models.BinaryField(max_length=32)
    kind = models.CharField(max_length=80, db_index=True)
    event = models.CharField(max_length=24, blank=True)
    sealed = SealedField(context="channels.callback")
    received_at = models.DateTimeField(default=wall_now, db_index=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=["channel", "corp", "digest"], name="one_callback_once"),)


class Endpoint(models.Model):
    """An address to which events of some types are posted. `cursor`: the last slice of the log that was cut for it.

    After a failure it is left alone until `paused_until`; `failing_since` is the first failure since it last took
    something. `off` says why it is switched off. Until `former_until` the former secret signs too.
    """

    name = models.CharField(max_length=80, unique=True)
    url = EncryptedTextField()
    types = models.JSONField(default=list)
    private = models.BooleanField(default=False)
    secret = EncryptedTextField()
    former = EncryptedTextField(null=True)
    former_until = models.DateTimeField(null=True)
    cursor = models.BigIntegerField(default=0)
    off = models.CharField(max_length=8, blank=True)
    failures = models.PositiveIntegerField(default=0)
    failing_since = models.DateTimeField(null=True)
    paused_until = models.DateTimeField(null=True)
    last_ok_at = models.DateTimeField(null=True)
    made_at = models.DateTimeField(default=wall_now)


class Parcel(models.Model):
    """Events of one slice for one address, sealed; emptied once they were taken. `uid` is the id that the other side
    sees, the same at every try."""

    endpoint = models.ForeignKey(Endpoint, models.CASCADE, related_name="parcels")
    slice = models.BigIntegerField()
    ordinal = models.PositiveIntegerField()
    uid = models.CharField(max_length=40, unique=True)
    events = models.PositiveIntegerField()
    sealed = SealedField(context="channels_parcel.sealed", null=True)  # type: ignore[misc]  # emptied once it was taken
    state = models.CharField(max_length=8, default="due")
    tries = models.PositiveSmallIntegerField(default=0)
    not_before = models.DateTimeField(null=True)
    claimed_by = models.CharField(max_length=80, blank=True)
    claim_until = models.DateTimeField(null=True)
    status = models.PositiveSmallIntegerField(null=True)
    reason = models.CharField(max_length=160, blank=True)
    made_at = models.DateTimeField(default=wall_now)
    settled_at = models.DateTimeField(null=True, db_index=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=["endpoint", "slice", "ordinal"], name="one_parcel_once"),)
        indexes = (
            models.Index(
                fields=["endpoint", "id"],
                condition=models.Q(state__in=["due", "doing"]),
                name="parcels_open",
            ),
        )
