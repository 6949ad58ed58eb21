"""The law of syncs: callbacks in any order, some lost, some twice, then one reading: we say what the platform says.

Only that a customer left is told by callbacks alone: where that one is lost, nobody can know.
"""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from yutang.channels.sync.known import Word, _after, _said
from yutang.channels.sync.standing import Standing

T0 = 1_772_300_000
WHO, SENDER = b"w" * 16, 7


@dataclass
class Platform:
    """One relation as it really is, and what is called back of it."""

    created: int | None = None
    left: bool = False

    def act(self, what: str, at: int) -> bool:
        """Whether anything happened."""
        if what == "added":
            if self.created is not None and not self.left:
                return False
            self.created, self.left = at, False
        elif self.created is None or (what == "left" and self.left):
            return False
        elif what == "ended":
            self.created = None
        else:
            self.left = True
        return True


@dataclass
class Ours:
    """What we know, and what people come to by our events: the latest word of each kind."""

    standing: Standing
    added: int | None = None
    lost: int | None = None

    def keep(self, kind: str, at: int) -> None:
        if kind == "added":
            self.added = max(at, self.added or at)
        else:
            self.lost = max(at, self.lost or at)

    def hear(self, what: str, at: int) -> None:
        word = Word("corp", "wm", SENDER, what, at)
        before = self.standing
        self.standing = _after(before, word)
        said = _said(WHO, SENDER, word, before, self.standing)
        self.keep("added" if what == "added" else "lost", int(said.at.timestamp()))

    def read(self, created: int | None, began: int) -> None:
        before = self.standing
        self.standing = before.unseen(began) if created is None else before.seen(created, began)
        if self.standing.added != before.added and self.standing.added is not None:
            self.keep("added", self.standing.added)
        if before.live and self.standing.ended != before.ended and self.standing.ended is not None:
            self.keep("lost", self.standing.ended)

    @property
    def friends(self) -> bool:
        return self.added is not None and (self.lost is None or self.lost < self.added)


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[tuple[str, int]], int]:
    """What happens, each at a later second, and when all of it is over."""
    at, acts = T0, []
    for what in draw(st.lists(st.sampled_from(["added", "ended", "left"]), max_size=8)):
        at += draw(st.sampled_from([1, 2, 30, 60, 61, 3600]))
        acts.append((what, at))
    return acts, at


@settings(max_examples=100)
@given(histories(), st.data())
def test_any_order_loss_and_repetition_and_one_reading_come_to_the_truth(
    history: tuple[list[tuple[str, int]], int], data: st.DataObject
) -> None:
    acts, end = history
    platform, ours = Platform(), Ours(Standing())
    callbacks: list[tuple[str, int]] = []
    for what, at in acts:
        if platform.act(what, at):
            callbacks.append((what, at))
        if data.draw(st.booleans()):  # a sync at any time between
            ours.read(platform.created, at + 1)
    kept = [one for one in callbacks if one[0] == "left" or data.draw(st.booleans())]
    kept += data.draw(st.lists(st.sampled_from(kept), max_size=3)) if kept else []
    for what, at in data.draw(st.permutations(kept)):
        ours.hear(what, at)
    ours.read(platform.created, end + 5)
    assert ours.standing.shown == (platform.created is not None)
    assert ours.standing.live == (platform.created is not None and not platform.left)
    assert ours.friends == ours.standing.live
    before = ours.standing
    ours.read(platform.created, end + 500)
    assert ours.standing == before  # a second reading finds nothing


def test_what_happens_while_it_is_read_is_not_contradicted() -> None:
    friends = Standing(added=T0)
    assert friends.unseen(T0) == friends  # added in the second in which the reading began
    gone = friends.with_ended(T0 + 10)
    assert gone.seen(T0, T0 + 5) == gone  # ended after the reading began
    assert gone.seen(T0, T0 + 11).live  # a callback of a deletion that the platform does not know
    assert not gone.with_left(T0 + 20).seen(T0, T0 + 15).live
