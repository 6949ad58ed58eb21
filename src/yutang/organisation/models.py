"""The organisation's rows. Private to the room: others use contracts, services and queries."""

from __future__ import annotations

from typing import ClassVar

from django.contrib.auth.models import AbstractUser
from django.db import models
from treebeard.mp_tree import MP_Node

from yutang.kernel.clock import wall_now
from yutang.kernel.fields import EncryptedTextField
from yutang.organisation.contracts import NodeKind, RoleName


class Brand(models.Model):
    """The one brand of this installation (row 1), and its business clock.

    `clock_at` is null where the business clock is the wall clock; otherwise the clock stands at that instant until it
    is moved on, `clock_rate` business seconds per wall second. `presumed`: nobody chose name, currency and zone yet.
    `second_factor`: roles that must have one. `tree` grows with what a directory changes of the nodes: the warehouse
    follows it.
    """

    name = models.CharField(max_length=80)
    currency = models.CharField(max_length=3)
    zone = models.CharField(max_length=64)
    country = models.CharField(max_length=2, default="CN")
    demo = models.BooleanField(default=False)
    presumed = models.BooleanField(default=False)
    key_fingerprint = models.CharField(max_length=32)
    clock_at = models.DateTimeField(null=True)
    clock_rate = models.FloatField(default=1.0)
    clock_until = models.DateTimeField(null=True)
    clock_heading = models.DateTimeField(null=True)
    demo_loaded = models.BooleanField(default=False)
    second_factor = models.JSONField(default=list)
    tree = models.PositiveBigIntegerField(default=0)


class Node(MP_Node):  # type: ignore[misc]  # treebeard is untyped
    """Brand, region or store. `zone` is inherited from the nearest ancestor that names one.

    `latitude` and `longitude` are degrees (WGS 84) of a store that somebody can be led to; null where unknown.
    """

    kind = models.CharField(max_length=8, choices=[(kind.value, kind.value) for kind in NodeKind])
    code = models.CharField(max_length=64, unique=True)
    name = models.CharField(max_length=80)
    zone = models.CharField(max_length=64, blank=True)
    synthetic = models.BooleanField(default=False)
    latitude = models.FloatField(null=True)
    longitude = models.FloatField(null=True)

    node_order_by: ClassVar[list[str]] = []


class User(AbstractUser):
    """Somebody who logs in. `one_time`: the password was printed at a start, and lasts until they choose their own."""

    language = models.CharField(max_length=8, default="zh-hans")
    one_time = models.BooleanField(default=False)


class Role(models.Model):
    """What a user is, and at which node of the tree: everything below that node is theirs to see."""

    user = models.ForeignKey(User, models.CASCADE, related_name="roles")
    node = models.ForeignKey(Node, models.CASCADE)
    role = models.CharField(max_length=12, choices=[(role.value, role.value) for role in RoleName])

    class Meta:
        constraints = (models.UniqueConstraint(fields=["user", "node", "role"], name="one_role_once"),)


class Staff(models.Model):
    """A guide or another member of staff, at home in one store."""

    node = models.ForeignKey(Node, models.PROTECT)
    name = EncryptedTextField()
    active = models.BooleanField(default=True)
    synthetic = models.BooleanField(default=False)
    user = models.OneToOneField(User, models.SET_NULL, null=True)


class SenderAccount(models.Model):
    """An account that can speak to customers: a WeCom member of one corp.

    `standing`: how the corp's directory last had them (1 active, 2 disabled, 4 not activated, 5 left, 0 gone); null:
    it was never read. What changes there changes `active`; what a list said of it meanwhile stays. `persona`: which
    parts of what customers see of the member are filled in (`has`), of those that the directory tells (`told`).
    """

    staff = models.ForeignKey(Staff, models.CASCADE, related_name="accounts")
    channel = models.CharField(max_length=16)
    corp = models.CharField(max_length=64)
    userid = models.CharField(max_length=64)
    daily_quota = models.PositiveIntegerField(default=10_000)
    active = models.BooleanField(default=True)
    standing = models.PositiveSmallIntegerField(null=True)
    persona = models.JSONField(null=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=["channel", "corp", "userid"], name="one_account_once"),)


class Corp(models.Model):
    """A corp at a platform, with the secret by which its API is called. `address` empty: our own sandbox.

    `callback_token` and `callback_key` are what the platform signs and encrypts its callbacks with. `agent` is the
    number of the app whose secret it is. `stores_below`: the department whose branches become regions and stores; null:
    departments are matched with the stores that are there, and none is made.
    """

    channel = models.CharField(max_length=16)
    corp = models.CharField(max_length=64)
    secret = EncryptedTextField()
    address = models.CharField(max_length=200, blank=True)
    callback_token = EncryptedTextField(null=True)
    callback_key = EncryptedTextField(null=True)
    agent = models.PositiveIntegerField(null=True)
    stores_below = models.BigIntegerField(null=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=["channel", "corp"], name="one_corp_once"),)


class ChannelAccount(models.Model):
    """An account by which the brand speaks itself, and the sender that plans know it as.

    `corp` names it within its channel; of an app it is the app's id. `settings` is what its connector must be told, as
    JSON. `token` is the secret part of the address at which its provider calls back. `cost` is of one message, or one
    segment of it; `per_second` the most that leave it in a second (0: no limit of ours).
    """

    kind = models.CharField(max_length=32)
    channel = models.CharField(max_length=16)
    corp = models.CharField(max_length=64)
    sender = models.OneToOneField(SenderAccount, models.CASCADE, related_name="outlet")
    settings = EncryptedTextField()
    token = EncryptedTextField()
    cost = models.DecimalField(max_digits=12, decimal_places=4)
    per_second = models.FloatField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=["channel", "corp"], name="one_channel_account_once"),)


class Department(models.Model):
    """A department of a corp's directory, by its number there, and the node that it is, if any.

    `by_hand`: a person said which; then no name and no code is looked at any more. `gone`: the directory has it no
    more; the node stays.
    """

    channel = models.CharField(max_length=16)
    corp = models.CharField(max_length=64)
    number = models.BigIntegerField()
    parent = models.BigIntegerField(null=True)
    name = models.CharField(max_length=120, blank=True)
    node = models.ForeignKey(Node, models.SET_NULL, null=True)
    by_hand = models.BooleanField(default=False)
    gone = models.BooleanField(default=False)

    class Meta:
        constraints = (models.UniqueConstraint(fields=["channel", "corp", "number"], name="one_department_once"),)


class PhoneLink(models.Model):
    """A link by which a member of staff opens their phone's pages, once, until `until` (wall clock). Only its hash is
    kept."""

    digest = models.BinaryField(max_length=32, unique=True)
    staff = models.ForeignKey(Staff, models.CASCADE)
    made_by = models.CharField(max_length=80)
    made_at = models.DateTimeField(default=wall_now)
    until = models.DateTimeField()
    used_at = models.DateTimeField(null=True)


class ApiToken(models.Model):
    """A key for scripts. Only its hash is kept; it sees what `role` at `node` sees."""

    name = models.CharField(max_length=80)
    digest = models.BinaryField(max_length=32, unique=True)
    scopes = models.JSONField(default=list)
    node = models.ForeignKey(Node, models.CASCADE)
    role = models.CharField(max_length=12)
    created_at = models.DateTimeField(default=wall_now)
    revoked_at = models.DateTimeField(null=True)


class AuditEntry(models.Model):
    """Who did what to what, for ever. `detail` never holds PII."""

    at = models.DateTimeField(default=wall_now, db_index=True)
    actor = models.CharField(max_length=80)
    verb = models.CharField(max_length=40)
    subject = models.CharField(max_length=120)
    detail = models.JSONField(default=dict)
