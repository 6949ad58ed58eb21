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
    home_at = models.DateTimeField(null=True)
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
    too many others to say anything of who somebody is, and joins nobody any more. `cap`: how many others of one kind
    somebody decided that it may be seen beside (null: as many as any; 0: it is shared, whatever was seen).
    """

    kind = models.CharField(max_length=24)
    namespace = models.CharField(max_length=80, blank=True)
    lookup = models.BinaryField(max_length=16, unique=True)
    value = EncryptedTextField(lookup="lookup", by=("kind", "namespace"))
    person = models.ForeignKey(Person, models.PROTECT, null=True, related_name="identifiers")
    hub = models.BooleanField(default=False)
    cap = models.PositiveIntegerField(null=True)
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
    """Two identifiers are of one person: they were seen together, or somebody said so (`seen_at` is null until seen).

    `said`: what the latest decision that stands says of the two, over anything seen: 1 one person, -1 not because of
    this, 0 nothing. Components over the edges that are not cut are the persons.
    """

    first = models.ForeignKey(Identifier, models.CASCADE, related_name="+")
    second = models.ForeignKey(Identifier, models.CASCADE, related_name="+")
    seen_at = models.DateTimeField(null=True, default=wall_now)
    said = models.SmallIntegerField(default=0)

    class Meta:
        constraints = (models.UniqueConstraint(fields=["first", "second"], name="one_edge_once"),)


class PersonOverride(models.Model):
    """A birth person whose component's survivor is another; flattened: survivors never have an override."""

    birth = models.OneToOneField(Person, models.CASCADE, primary_key=True, related_name="+")
    survivor = models.ForeignKey(Person, models.CASCADE, related_name="+")


class Crowd(models.Model):
    """An identifier that was seen beside more than half as many others of one kind as it may: perhaps it is shared."""

    identifier = models.BigIntegerField(primary_key=True)
    since = models.DateTimeField(default=wall_now)


class Decision(models.Model):
    """What somebody decided of who is who, and why. Kept for ever; one that was withdrawn counts for nothing.

    `person` and `other` are birth persons. None of these numbers is a foreign key: who is erased leaves numbers behind
    that lead nowhere, and takes the reasons along. `identifier` and `cap` belong to decisions about a shared one.
    """

    kind = models.CharField(max_length=16)
    at = models.DateTimeField(default=wall_now)
    by = models.CharField(max_length=80)
    reason = EncryptedTextField(null=True)
    person = models.BigIntegerField(null=True, db_index=True)
    other = models.BigIntegerField(null=True, db_index=True)
    identifier = models.BigIntegerField(null=True, db_index=True)
    cap = models.PositiveIntegerField(null=True)
    withdrawn_at = models.DateTimeField(null=True)
    withdrawn_by = models.CharField(max_length=80, blank=True)
    withdrawn_reason = EncryptedTextField(null=True)


class Word(models.Model):
    """What a decision says of two identifiers (lower first): one person (1), or not because of this edge (-1)."""

    decision = models.ForeignKey(Decision, models.CASCADE, related_name="words")
    first = models.BigIntegerField()
    second = models.BigIntegerField(db_index=True)
    said = models.SmallIntegerField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=["first", "second", "decision"], name="one_word_of_a_decision"),)


class Suspect(models.Model):
    """Two birth persons (lower first) who may be one human: how likely, by what (codes, nothing personal).

    `decision`: what was decided of the two last; null while it waits.
    """

    first = models.BigIntegerField()
    second = models.BigIntegerField(db_index=True)
    score = models.FloatField(null=True)
    evidence = models.JSONField(default=list)
    found_at = models.DateTimeField(default=wall_now)
    decision = models.ForeignKey(Decision, models.SET_NULL, null=True, related_name="+")

    class Meta:
        constraints = (models.UniqueConstraint(fields=["first", "second"], name="one_suspicion_once"),)


class Relation(models.Model):
    """Person × sender account: a WeCom friendship; live if it was lost never, or before it was last added."""

    person = models.ForeignKey(Person, models.CASCADE, related_name="relations")
    sender = models.BigIntegerField(db_index=True)
    added_at = models.DateTimeField(null=True)
    lost_at = models.DateTimeField(null=True)
    last_talk_at = models.DateTimeField(null=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=["person", "sender"], name="one_relation_once"),)


class Group(models.Model):
    """A customer group, by its id at the platform, whoever told of it first.

    What only its platform tells (`corp` not empty) is as of `read_at`: `owner` is a userid, `sender` their account and
    `node` its store, null where we do not know the account; `size` counts everybody, `staff` are the members of the
    corp by userid; `version` changes with the membership. `moved_at`: when somebody last came or left.
    """

    code = models.CharField(max_length=128, unique=True)
    corp = models.CharField(max_length=64, blank=True)
    name = EncryptedTextField(null=True)
    name_at = models.DateTimeField(null=True)
    notice = EncryptedTextField(null=True)
    owner = models.CharField(max_length=64, blank=True)
    sender = models.BigIntegerField(null=True, db_index=True)
    node = models.BigIntegerField(null=True, db_index=True)
    state = models.CharField(max_length=16, blank=True)
    admins = models.JSONField(default=list)
    staff = models.JSONField(default=list)
    size = models.PositiveIntegerField(default=0)
    version = models.CharField(max_length=64, blank=True)
    made_at = models.DateTimeField(null=True)
    moved_at = models.DateTimeField(null=True, db_index=True)
    read_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)


class GroupMember(models.Model):
    """Person × group: in it unless they left after they last joined. The rest is told of the last joining: `scene` 1
    invited, 2 by a link, 3 by a code; `inviter` is a userid, `state` the join way's."""

    group = models.ForeignKey(Group, models.CASCADE, related_name="members")
    person = models.ForeignKey(Person, models.CASCADE, related_name="groups")
    joined_at = models.DateTimeField(null=True)
    left_at = models.DateTimeField(null=True)
    scene = models.PositiveSmallIntegerField(default=0)
    inviter = models.CharField(max_length=64, blank=True)
    state = models.CharField(max_length=64, blank=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=["group", "person"], name="one_member_once"),)
        indexes = (models.Index(fields=["state"], condition=~models.Q(state=""), name="came_by_code"),)


class Consent(models.Model):
    """What a person said about one purpose on one channel (`*`: all); appended, the latest counts. Proof is kept.

    `partner`: to whom the word was said; empty: to us. What was said to one says nothing of another. `source`: by which
    door it came.
    """

    person = models.ForeignKey(Person, models.CASCADE, related_name="consents")
    purpose = models.CharField(max_length=24)
    channel = models.CharField(max_length=16)
    partner = models.CharField(max_length=63, blank=True, default="", db_default="")
    granted = models.BooleanField()
    at = models.DateTimeField()
    source = models.CharField(max_length=80, blank=True, default="", db_default="")
    proof = EncryptedTextField(null=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["person", "purpose", "channel", "partner", "at", "granted"], name="one_word_once"
            ),
        )


class Preference(models.Model):
    """How a birth person wants to be spoken to, as they said last. Empty: as the brand does.

    `topics` and `channels` are refused (`*`: all of them); `week` and `month` are the most messages they want; between
    `opens` and `closes` (minutes of their local day) they may be spoken to. Merged persons: the most restrictive.
    `links_from`: links made before are void but for withdrawing.
    """

    person = models.OneToOneField(Person, models.CASCADE, primary_key=True, related_name="preference")
    topics = models.JSONField(default=list)
    channels = models.JSONField(default=list)
    week = models.PositiveSmallIntegerField(null=True)
    month = models.PositiveSmallIntegerField(null=True)
    opens = models.PositiveSmallIntegerField(null=True)
    closes = models.PositiveSmallIntegerField(null=True)
    at = models.DateTimeField()
    links_from = models.DateTimeField(null=True)


class DoNotContact(models.Model):
    """What remains of an erased person: a hash of each identifier, under a key of its own, and nothing beside it."""

    digest = models.BinaryField(max_length=16, primary_key=True)


class TurnedAway(models.Model):
    """How much arrived of erased persons on a (UTC) day: what was dropped, and what of orders was kept as nobody's."""

    day = models.DateField(primary_key=True)
    dropped = models.PositiveBigIntegerField(default=0)
    orders = models.PositiveBigIntegerField(default=0)


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
