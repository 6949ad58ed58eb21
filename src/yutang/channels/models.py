"""What platforms told us, as they told it. Private to the room."""

from __future__ import annotations

from django.db import models

from yutang.channels.sync.models import (  # noqa: F401  # Django looks for a room's rows here
    KnownRelation,
    KnownTag,
    SendsListed,
    StaffSend,
    SyncHint,
    SyncRun,
    TagWish,
)
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


class RefusedCallback(models.Model):
    """How many bodies for a corp were turned away since their signature or seal was wrong, and when last."""

    channel = models.CharField(max_length=16)
    corp = models.CharField(max_length=64)
    count = models.PositiveBigIntegerField(default=0)
    last_at = models.DateTimeField(default=wall_now)

    class Meta:
        constraints = (models.UniqueConstraint(fields=["channel", "corp"], name="one_count_of_refusals"),)


class PlatformToken(models.Model):
    """The token that a platform gave for an app's secret, for all processes. `key` does not give the secret away."""

    key = models.CharField(max_length=160, unique=True)
    value = EncryptedTextField()
    expires_at = models.DateTimeField()


class PlatformBlock(models.Model):
    """A call of a platform that is blocked until a moment, for all processes, the `strikes`-th time in a row."""

    scope = models.CharField(max_length=160)
    api = models.CharField(max_length=80)
    until = models.DateTimeField()
    strikes = models.PositiveIntegerField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=["scope", "api"], name="one_block_once"),)


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


class Uploaded(models.Model):
    """A file that a platform holds for us, by the hash of its bytes and what it is for; never the bytes themselves.

    `handle` is what stands for it there, until `until` (null: for ever). While it is empty somebody, `claimed_by`,
    uploads it, at the longest until `claim_until`.
    """

    channel = models.CharField(max_length=16)
    corp = models.CharField(max_length=64)
    purpose = models.CharField(max_length=32)
    digest = models.BinaryField(max_length=32)
    handle = models.CharField(max_length=512, blank=True)
    until = models.DateTimeField(null=True, db_index=True)
    claimed_by = models.CharField(max_length=80, blank=True)
    claim_until = models.DateTimeField(null=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["channel", "corp", "purpose", "digest"], name="one_upload_once"),
        )


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


class Outlet(models.Model):
    """How an account by which the brand speaks itself is doing. Left alone until `paused_until`; `trouble_zh` and
    `trouble_en` say why."""

    channel = models.CharField(max_length=16)
    corp = models.CharField(max_length=64)
    paused_until = models.DateTimeField(null=True)
    trouble_zh = models.CharField(max_length=200, blank=True)
    trouble_en = models.CharField(max_length=200, blank=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=["channel", "corp"], name="one_outlet_once"),)


class Mailing(models.Model):
    """What an account was asked to send: one content for many, sealed; emptied once nothing more is to be sent.

    `uid` is the task's id. `until` (business time): whoever has not got it by then does not get it.
    """

    uid = models.CharField(max_length=40, unique=True)
    channel = models.CharField(max_length=16)
    corp = models.CharField(max_length=64)
    sender = models.CharField(max_length=64)
    content = EncryptedTextField(null=True)
    until = models.DateTimeField(null=True)
    marketing = models.BooleanField(default=True)
    created_at = models.DateTimeField(db_index=True)
    made_at = models.DateTimeField(default=wall_now)
    withdrawn = models.BooleanField(default=False)


class Letter(models.Model):
    """One message to one recipient, sealed; the recipient is forgotten once nothing more can be told of it.

    `person` is who it was for when it was written (null: nobody we know). `call` names the last call that it was part
    of, `provider_id` is what the provider calls it. `sent_at` is business time, the others are the wall's.
    """

    mailing = models.ForeignKey(Mailing, models.CASCADE, related_name="letters")
    uid = models.CharField(max_length=40, unique=True)
    person = models.BigIntegerField(null=True, db_index=True)
    recipient = EncryptedTextField(null=True)
    state = models.CharField(max_length=10, default="queued")
    call = models.CharField(max_length=40, blank=True)
    called_at = models.DateTimeField(null=True)
    provider_id = models.CharField(max_length=128, blank=True, db_index=True)
    tries = models.PositiveSmallIntegerField(default=0)
    not_before = models.DateTimeField(null=True)
    claimed_by = models.CharField(max_length=80, blank=True)
    claim_until = models.DateTimeField(null=True)
    reason = models.CharField(max_length=60, blank=True)
    cost = models.DecimalField(max_digits=12, decimal_places=4, default=0)
    sent_at = models.DateTimeField(null=True)
    settled_at = models.DateTimeField(null=True, db_index=True)

    class Meta:
        indexes = (
            models.Index(
                fields=["mailing", "id"],
                condition=models.Q(state__in=["queued", "sending", "unknown"]),
                name="letters_open",
            ),
        )


class Address(models.Model):
    """What is known of an address beside whose it is. `dead`: nobody is reached there any more, and why.

    Until `answers_until` the brand may answer `answers` more times; `templates` counts how many messages of each
    template were allowed.
    """

    kind = models.CharField(max_length=24)
    namespace = models.CharField(max_length=80, blank=True)
    lookup = models.BinaryField(max_length=16, unique=True)
    value = EncryptedTextField(lookup="lookup", by=("kind", "namespace"))
    dead = models.CharField(max_length=60, blank=True)
    answers = models.PositiveSmallIntegerField(default=0)
    answers_until = models.DateTimeField(null=True)
    templates = models.JSONField(default=dict)


class HeardOnce(models.Model):
    """A callback that must not count twice, by a hash of what names it."""

    digest = models.BinaryField(max_length=32, primary_key=True)
    at = models.DateTimeField(default=wall_now, db_index=True)


class Archive(models.Model):
    """A corp's session archive: its secret, and up to which message (`seq`) it was read. `keys_changed` counts changes
    of keys since what could not be opened was tried last."""

    corp = models.CharField(max_length=64, unique=True)
    secret = EncryptedTextField()
    seq = models.BigIntegerField(default=0)
    keys_changed = models.PositiveIntegerField(default=0)
    read_at = models.DateTimeField(null=True)


class ArchiveKey(models.Model):
    """The private key whose public half the platform knows as this version."""

    corp = models.CharField(max_length=64)
    version = models.PositiveIntegerField()
    pem = EncryptedTextField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=["corp", "version"], name="one_archive_key"),)


class ArchivedMessage(models.Model):
    """A message between members and customers, once (`digest` is of the platform's id); what it says is sealed.

    `state`: kept, or unopened; then `sealed` holds it as it came, sealed for the key of `version`.
    """

    corp = models.CharField(max_length=64)
    digest = models.BinaryField(max_length=32)
    state = models.CharField(max_length=8)
    seq = models.BigIntegerField()
    version = models.PositiveIntegerField(null=True)
    kind = models.CharField(max_length=24, blank=True)
    sent_at = models.DateTimeField(null=True)
    member = models.CharField(max_length=64, blank=True)
    inbound = models.BooleanField(default=False)
    room = models.CharField(max_length=64, blank=True)
    sealed = SealedField(context="channels_archivedmessage.sealed")
    read_at = models.DateTimeField(default=wall_now, db_index=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=["corp", "digest"], name="one_message_once"),)
        indexes = (models.Index(fields=["corp", "id"], condition=models.Q(state="unopened"), name="messages_unopened"),)
