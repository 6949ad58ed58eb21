"""Opening the house."""

from __future__ import annotations

import pytest
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from pytest_django import DjangoAssertNumQueries

from yutang.app.house import bring_up_to_date
from yutang.kernel.errors import Refused

pytestmark = pytest.mark.django_db


def test_a_store_that_lacks_nothing_is_only_looked_at(django_assert_max_num_queries: DjangoAssertNumQueries) -> None:
    with django_assert_max_num_queries(3):
        bring_up_to_date()


def test_older_code_refuses_what_newer_code_wrote() -> None:
    MigrationRecorder(connection).record_applied("people", "9999_of_tomorrow")
    with pytest.raises(Refused, match="9999_of_tomorrow"):
        bring_up_to_date()


def test_what_a_library_left_behind_is_not_ours_to_refuse() -> None:
    MigrationRecorder(connection).record_applied("a_library_once_used", "0001_initial")
    bring_up_to_date()
