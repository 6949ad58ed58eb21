"""New keys for old: nothing sealed is forgotten, everybody is found meanwhile, and whoever is killed goes on."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.contrib.sessions.backends.db import SessionStore
from django.db import connection, models
from pytest_django import Settings

from tests import stores
from tests.people.pond import found_pond, member
from tests.reach.conftest import Stage
from yutang.app.house import _sign_by
from yutang.kernel import encryption, sealing
from yutang.kernel.clock import wall_now
from yutang.kernel.encryption import Keyring, keyring
from yutang.kernel.errors import Refused, WrongKey
from yutang.kernel.fields import EncryptedTextField, SealedField
from yutang.operations import doctor, rotation
from yutang.operations.doctor import Finding
from yutang.organisation.models import Node
from yutang.organisation.services import check_key
from yutang.people import identity
from yutang.people.models import Identifier, Person

pytestmark = pytest.mark.django_db

NOT_SEALED = {
    "people_identifier.lookup": "made anew with the value beside it",
    "files_keptfile.content": "pictures and videos that are shown to every customer",
    "organisation_apitoken.digest": "SHA-256 of 256 random bits, without a key",
    "organisation_phonelink.digest": "SHA-256 of 256 random bits, without a key",
    "intake_writekey.digest": "hash of 192 random bits, by the key that stays",
    "intake_heldmessage.mark": "hash of a message's id, by the key that stays",
    "intake_fixedtime.mark": "hash of a message's id, by the key that stays",
    "intake_hook.place": "hash of 144 random bits, by the key that stays",
    "intake_hookdelivery.mark": "hash of a delivery's id, by the key that stays",
    "channels_callback.digest": "hash of a whole body, without a key",
    "channels_uploaded.digest": "hash of a whole file, without a key",
    "kf_conversation.who": "hash of a customer's id at the platform, by the key that stays",
    "kf_message.who": "hash of a customer's id at the platform, by the key that stays",
    "connect_handover.who": "hash of a customer's id at the platform, by the key that stays",
    "connect_left.who": "hash of a customer's id at the platform, by the key that stays",
    "channels_archivedmessage.digest": "hash of the platform's own id of a message, without a key",
    "channels_address.lookup": "made anew with the value beside it",
    "channels_heardonce.digest": "hash of a callback's id, kept for days",
    "channels_knownrelation.who": "hash of a customer's id at the platform, by the key that stays",
    "channels_knownrelation.mark": "hash of what was told of a relation, by the key that stays",
    "people_donotcontact.digest": "hash of an erased person's identifier, by a key of its own that stays",
    "connect_way.picture": "a public QR picture",
    "connect_join.who": "hash of a friend's id at the platform, by the key that stays; counted for a day",
}
NOW = timedelta(0)
_number = count(1)


@pytest.fixture
def key_file(tmp_path: Path, settings: Settings) -> Iterator[Path]:
    """The suite's ring in a file of its own, put back afterwards."""
    before = keyring()
    path = tmp_path / "own.key"
    path.write_text(before._dump())
    settings.DATA = tmp_path
    encryption.install_keyring(before, path)
    yield path
    encryption.install_keyring(before)


@pytest.fixture
def pond(key_file: Path) -> Path:
    """A brand whose keys can be rotated."""
    found_pond()
    return key_file


def finished(sealer: rotation.Sealer) -> bool:
    """Work until only time is waited for."""
    while (left := sealer.turn(60)) and sealer.busy:
        pass
    return not left


def some_row(model: type[models.Model], **given: Any) -> models.Model:
    """A row with something in every column, those it refers to made as well."""
    values: dict[str, Any] = dict(given)
    for field in model._meta.concrete_fields:
        if field.name in values or field.has_default() or field.null or isinstance(field, models.AutoField):
            continue
        if isinstance(field, models.ForeignKey):
            other = field.related_model
            assert isinstance(other, type)
            values[field.name] = Node.objects.first() if other is Node else some_row(other)
        elif isinstance(field, EncryptedTextField):
            values[field.name] = "x"
        elif isinstance(field, models.BinaryField):
            values[field.name] = os.urandom(8)
        elif isinstance(field, models.DateTimeField):
            values[field.name] = wall_now()
        elif isinstance(field, models.GenericIPAddressField):
            values[field.name] = "127.0.0.1"
        elif isinstance(field, models.CharField | models.TextField):
            values[field.name] = f"x{next(_number)}"
        elif isinstance(field, models.DateField):
            values[field.name] = wall_now().date()
        elif isinstance(field, models.BooleanField):
            values[field.name] = False
        elif isinstance(field, models.JSONField):
            values[field.name] = {}
        else:
            values[field.name] = next(_number)
    return model._default_manager.create(**values)


def everything_sealed() -> dict[str, tuple[type[models.Model], Any, str]]:
    """A row for every place in which something sealed may stand: model, id and field, by the place's name."""
    made = {}
    for place in sealing.places():
        match place.field:
            case EncryptedTextField():
                value: Any = f"plain {place.name}"
            case SealedField(context=context):
                value = keyring().encrypt_bytes(f"plain {place.name}".encode(), context)
            case _:
                value = {"list": [keyring().seal_text(f"plain {place.name}", "test"), 1], "other": "sealed"}
        if issubclass(place.model, Node) or place.name.startswith("organisation_brand."):
            continue
        more = {}
        if isinstance(place.field, EncryptedTextField) and place.field.lookup:
            one = member("M-plain")
            value = one.value
            more = {"kind": one.kind, "namespace": one.namespace, "lookup": keyring().lookup_hashes(["x"])[0]}
        row = some_row(place.model, **{place.field.name: value, **more})
        made[place.name] = (place.model, row.pk, place.field.name)
    return made


def opened(model: type[models.Model], pk: Any, name: str) -> str:
    value = getattr(model._default_manager.get(pk=pk), name)
    if isinstance(value, dict):
        return keyring().open_text(value["list"][0])
    if isinstance(value, str):
        return value
    field = model._meta.get_field(name)
    assert isinstance(field, SealedField)
    return keyring().decrypt_bytes(bytes(value), field.context).decode()


def values_under(ring: Keyring, name: str) -> list[str]:
    """Where in the whole database a value stands that this generation sealed."""
    mark = ring.mark(name)
    in_text = base64.b64encode(mark).decode().rstrip("=")
    found = []
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f'SELECT * FROM "{table}"')
            names = [column[0] for column in cursor.description]
            for row in cursor.fetchall():
                for column, value in zip(names, row, strict=True):
                    raw = bytes(value) if isinstance(value, bytes | memoryview) else b""
                    text = value if isinstance(value, str) else ""
                    if raw.startswith(mark) or ("sealed:" in text and f":{in_text}" in text):
                        found.append(f"{table}.{column}")
    return found


def test_every_column_of_bytes_is_sealed_anew_or_said_to_hold_nothing_sealed() -> None:
    known = {place.name for place in sealing.places()}
    plain = {
        f"{model._meta.db_table}.{field.column}"
        for model in apps.get_models()
        for field in model._meta.local_concrete_fields
        if isinstance(field, models.BinaryField) and f"{model._meta.db_table}.{field.column}" not in known
    }
    assert plain == set(NOT_SEALED)


def test_after_a_rotation_every_value_opens_and_none_is_under_the_old_key(pond: Path) -> None:
    made = everything_sealed()
    old = keyring()
    said = {name: opened(*where) for name, where in made.items()}
    assert set(values_under(old, "k1")) == set(made)
    rotation.begin()
    assert set(rotation.status().left) == set(made)
    assert finished(rotation.Sealer(NOW))
    assert values_under(old, "k1") == []
    assert Keyring.load(pond).keys.keys() == {"k2"}
    assert {name: opened(*where) for name, where in made.items()} == said
    assert not rotation.status().unfinished
    check_key()


def test_a_copy_of_the_key_file_from_before_does_not_open_the_house(pond: Path) -> None:
    before = pond.read_bytes()
    rotation.begin()
    finished(rotation.Sealer(NOW))
    pond.write_bytes(before)
    encryption.install_keyring(Keyring.load(pond), pond)
    with pytest.raises(WrongKey):
        check_key()


def test_everybody_is_found_and_nobody_made_twice_while_half_is_under_each_key(pond: Path) -> None:
    groups = [[member(f"M-{n}")] for n in range(8)]
    seen = [wall_now()] * 8
    births = identity.births_of(groups, seen, False)
    rotation.begin()
    sealing.reseal(next(place for place in sealing.places() if place.name == "people_identifier.value"), None, 3)
    assert [value[1:3] for value in raw_values()].count(b"k2") == 3
    assert identity.births_of([*groups, [member("M-new")]], [*seen, wall_now()], False)[:8] == births
    assert Identifier.objects.count() == 9
    assert {value[1:3] for value in raw_values()[8:]} == {b"k2"}
    assert identity.count_persons(groups) == (8, 0)
    finished(rotation.Sealer(NOW))
    assert identity.births_of(groups, seen, False) == births
    assert Identifier.objects.count() == 9


def raw_values() -> list[bytes]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT value FROM people_identifier ORDER BY id")
        return [bytes(value) for (value,) in cursor.fetchall()]


def test_who_has_not_noticed_the_new_keys_makes_nobody_twice(pond: Path) -> None:
    stale = keyring()
    rotation.begin()
    [born] = identity.births_of([[member("M-1")]], [wall_now()], False)
    assert identity._in_turn(stale).active == "k2"
    known, fresh = identity._known({member("M-1"): wall_now()}, {member("M-1")}, False)
    assert (known[member("M-1")][1], fresh) == (born, {})


def test_what_is_written_while_it_is_sealed_anew_stays(pond: Path) -> None:
    person = some_row(Person, name="before")
    rotation.begin()
    place = next(place for place in sealing.places() if place.name == "people_person.name")
    rows = sealing._read(place, keyring(), [person.pk])
    assert len(rows) == 1
    Person.objects.filter(pk=person.pk).update(name="after")
    sealing._write(place, keyring(), rows)
    assert Person.objects.get(pk=person.pk).name == "after"


def test_the_old_key_stays_for_whoever_may_still_be_writing_by_it(pond: Path) -> None:
    some_row(Person, name="x")
    old = keyring()
    rotation.begin()
    sealer = rotation.Sealer(timedelta(hours=1))
    assert not finished(sealer)
    assert Keyring.load(pond).keys.keys() == {"k1", "k2"}
    found = rotation.status()
    assert found.unfinished
    assert found.left == {}
    assert "k" in rotation.said(found)[1]
    late = old.encrypt("late", "people_person.name")
    with connection.cursor() as cursor:
        cursor.execute("UPDATE people_person SET name = %s", [late])
    assert rotation.status().left == {"people_person.name": 1}
    assert finished(rotation.Sealer(NOW))
    assert Person.objects.get().name == "late"


def test_the_turn_of_the_clock_goes_on_with_it_and_the_doctor_says_so(key_file: Path, stage: Stage) -> None:
    def told() -> Finding:
        return next(one for one in doctor.examine(stage.warehouse, stage.directory) if one.name == "rotation")

    assert told().ok
    rotation.begin()
    assert not told().ok
    assert "yutang secrets rotate" in told().en
    while stage.loop.sealer.busy or rotation.status().left:
        stage.loop.once()
    assert told().ok
    assert "leaves the key file" in told().en


def test_a_second_rotation_waits_for_the_first(pond: Path) -> None:
    assert rotation.begin().active == "k2"
    assert rotation.begin().active == "k2"
    assert finished(rotation.Sealer(NOW))
    assert rotation.begin().active == "k3"
    assert finished(rotation.Sealer(NOW))


def test_a_key_file_that_cannot_be_replaced_is_said() -> None:
    with pytest.raises(Refused, match="key file"):
        rotation.begin()


def test_sessions_signed_before_still_count(pond: Path) -> None:
    told: list[Keyring] = []
    encryption.install_keyring(keyring(), pond, told.append)
    rotation.begin()
    assert told[-1].signed_before == (told[0].signing,)
    assert told[-1].signing != told[0].signing


def test_a_session_outlives_a_rotation_until_the_old_key_leaves(pond: Path, settings: Settings) -> None:
    encryption.install_keyring(keyring(), pond, _sign_by)
    session = SessionStore()
    session["who"] = "owner"
    session.save()
    rotation.begin()
    assert SessionStore(session.session_key)["who"] == "owner"
    finished(rotation.Sealer(NOW))
    assert SessionStore(session.session_key).load() == {}  # logged out, and nothing worse


@pytest.mark.long
def test_killed_in_the_middle_beside_writers_it_goes_on(tmp_path: Path) -> None:
    options = ["--places", "rotate.portion", "--random", "0"]  # every place, and random ones: `make soak`
    command = [sys.executable, "-W", "ignore", "-m", "tests.operations.rotate", str(tmp_path), *options]
    surroundings = {**os.environ, **stores.environment(tmp_path / "data")}
    done = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False, env=surroundings)
    assert done.returncode == 0, done.stdout + done.stderr
    answer = json.loads(done.stdout)
    assert answer["written"] > 0
    assert answer["kills"] == 1
