"""When the owner of the file dies, whoever asks next takes over, and goes on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.warehouse.processes import another_process
from yutang.warehouse.contracts import Statement
from yutang.warehouse.engine import Owner, open_warehouse
from yutang.warehouse.lasting import Lasting
from yutang.warehouse.wire import OwnerGone

NOTE = Statement("INSERT INTO profile_state VALUES ('note', 'kept')")
NOTED = Statement("SELECT value FROM profile_state WHERE name = 'note'")


@contextmanager
def beside_an_owner(directory: Path, then: str = "print('here', flush=True); sys.stdin.read()") -> Iterator[Lasting]:
    """A warehouse of this process, whose owner is another one that is killed when this ends."""
    with another_process(directory, then):
        lasting = Lasting(lambda: open_warehouse(directory, threads=1))
        assert not isinstance(lasting._now, Owner)
        assert lasting.query(NOTED).num_rows == 0
        yield lasting


def test_a_question_is_answered_after_the_owner_was_killed_by_whoever_asked(tmp_path: Path) -> None:
    with beside_an_owner(tmp_path) as lasting:
        lasting.write([NOTE])
    with closing(lasting):
        assert lasting.query(NOTED)["value"].to_pylist() == ["kept"]
        assert isinstance(lasting._now, Owner)


def test_a_write_is_never_repeated_by_itself_but_the_next_one_is_made(tmp_path: Path) -> None:
    with beside_an_owner(tmp_path) as lasting:
        pass
    with closing(lasting):
        with pytest.raises(OwnerGone):
            lasting.write([NOTE])
        assert lasting.query(NOTED).num_rows == 0
        assert lasting.write([NOTE])
        assert lasting.query(NOTED)["value"].to_pylist() == ["kept"]


def test_of_two_that_are_left_one_owns_the_file_and_the_other_asks_it(tmp_path: Path) -> None:
    with beside_an_owner(tmp_path) as first:
        second = Lasting(lambda: open_warehouse(tmp_path, threads=1))
    with closing(first), closing(second):
        assert first.query(NOTED).num_rows == second.query(NOTED).num_rows == 0
        assert [isinstance(one._now, Owner) for one in (first, second)] == [True, False]
        first.write([NOTE])
        assert second.query(NOTED)["value"].to_pylist() == ["kept"]


def test_who_would_rather_not_own_the_file_does_when_nobody_else_does(tmp_path: Path) -> None:
    with closing(open_warehouse(tmp_path, threads=1, after_you=0.1)) as alone:
        assert isinstance(alone, Owner)
        assert not isinstance(open_warehouse(tmp_path, after_you=5.0), Owner), "who owns it is asked at once"
