"""New keys for old: every sealed value and every look-up hash is made anew, beside whoever works in the house.

1. A new generation of keys goes into the key file; from then on it seals (`kernel.encryption`).
2. The databases note it: from that transaction on, identifiers are made under its look-up key (`people.identity`).
3. What a former key sealed is sealed anew, portion by portion (`kernel.sealing`).
4. When nothing is left, and GRACE has passed in which another process may have kept what it had sealed just before, the
   former keys leave the file.

Each step may be done twice, and whoever comes next (the turn of the clock, the command) goes on where it was.

What is kept as a hash only (write keys, marks of messages, ids of rows without one) stands for no person who could be
found by guessing, cannot be made anew, and is hashed by a key that stays; API tokens are hashed without any key.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from yutang.intake.imports import sealed_by
from yutang.kernel import encryption, sealing
from yutang.kernel.clock import monotonic, wall_now
from yutang.kernel.encryption import Keyring, keyring
from yutang.kernel.errors import Refused
from yutang.kernel.failpoints import failpoint
from yutang.organisation.services import note_keys
from yutang.people.identity import use_keys

GRACE = timedelta(hours=1)
"""The longest between sealing a value and committing it, with room to spare."""

_PAUSE = 1.0  # seconds between two looks whether the time has come
IMPORTS = "imports"
"""Where `left` counts the chunk files of unfinished imports: the next import, or the next start, finishes them."""
Progress = Callable[[str, int], None]


@dataclass(frozen=True, slots=True)
class Rotation:
    """How a rotation stands: `left` values under former keys, by place; with none left, `retires_at` is when the former
    keys leave the file. `since` None: the keys were never rotated."""

    generation: int
    since: datetime | None
    unfinished: bool
    left: dict[str, int] = field(default_factory=dict)
    retires_at: datetime | None = None


def status() -> Rotation:
    """How the rotation stands; counts whatever is left."""
    ring = keyring(fresh=True)
    if not ring.former or ring.since is None:
        return Rotation(ring.generation, ring.since, False)
    counts = {place.name: sealing.count_left(place, ring) for place in sealing.places()}
    counts[IMPORTS] = _chunks(ring)
    left = {name: count for name, count in counts.items() if count}
    return Rotation(ring.generation, ring.since, True, left, None if left else ring.since + GRACE)


def _chunks(ring: Keyring) -> int:
    """Chunk files of imports that were killed: not sealed anew, for `resume` reads them and throws them away."""
    return sealed_by([ring.mark(name) for name in ring.former])


def begin() -> Keyring:
    """Put a new generation of keys into the file, or go on with the one that is unfinished. Raises Refused where the
    file cannot be written."""
    path = encryption.ring_file()
    try:
        if path is None:
            raise OSError("no key file")
        encryption.begin_rotation(path)
    except OSError as error:
        raise Refused(
            f"密钥文件不能改写（{error}）；轮换要在它所在的目录里放新文件，请检查权限和磁盘。",
            f"The key file cannot be replaced ({error}); rotation puts a new file beside it: check mode and disk.",
        ) from error
    failpoint("rotate.key_made")
    _come_into_use()
    return keyring()


def _come_into_use() -> None:
    with transaction.atomic():
        note_keys()
        use_keys(keyring(fresh=True).generation)
    failpoint("rotate.in_use")


def said(found: Rotation) -> tuple[str, str]:
    """How it stands, in one sentence of each language."""
    if not found.unfinished:
        return (
            f"密钥第 {found.generation} 代，没有未完成的轮换",
            f"keys of generation {found.generation}; none to retire",
        )
    if found.left:
        count = sum(found.left.values())
        return (
            f"密钥轮换未完成：还有 {count:,} 项由旧密钥加密；鱼塘运行时会自动继续，或运行 yutang secrets rotate",
            f"a rotation of keys is unfinished: {count:,} values are still under the old key; a running house goes on "
            "by itself, or run yutang secrets rotate",
        )
    at = f"{found.retires_at:%Y-%m-%d %H:%M} UTC"
    return (
        f"加密资料已全部换用新密钥，旧密钥在 {at} 之后移除（由运行中的鱼塘，或再次运行 yutang secrets rotate）",
        f"everything is under the new key; the old one leaves the key file after {at} (by the running house, or by "
        "yutang secrets rotate)",
    )


class Sealer:
    """Seals anew, a little at a time. It remembers where it is only so as not to look at every row again."""

    def __init__(self, grace: timedelta = GRACE) -> None:
        self._grace = grace
        self._generation = 0
        self._look_again = float("-inf")
        self._at: list[tuple[sealing.Place, Any]] = []

    @property
    def busy(self) -> bool:
        """Whether there is more to look at now; else only time is waited for."""
        return bool(self._at)

    def turn(self, seconds: float, progress: Progress | None = None) -> bool:
        """Work for about so long; whether a rotation is still unfinished. Nearly free where none is under way."""
        ring = keyring()
        if not ring.former:
            return False
        if self._generation != ring.generation:
            _come_into_use()  # whoever began it may have died before this
            self._generation, self._at = ring.generation, [(place, None) for place in sealing.places()]
        end = monotonic() + seconds
        while self._at and monotonic() < end:
            place, after = self._at.pop()
            done, after = sealing.reseal(place, after)
            if after is not None:
                self._at.append((place, after))
            if done:
                failpoint("rotate.portion")
                if progress is not None:
                    progress(place.name, done)
        if not self._at and monotonic() >= self._look_again:
            self._look_again = monotonic() + _PAUSE
            self._end()
        return bool(keyring().former)

    def _end(self) -> None:
        """Take the former keys out of the file, if nothing needs them now and nothing can that is on its way."""
        ring, path = keyring(fresh=True), encryption.ring_file()
        if not ring.former or path is None or (ring.since is not None and wall_now() - ring.since < self._grace):
            return
        late = [place for place in sealing.places() if sealing.left(place, ring)]
        if late or _chunks(ring):
            self._look_again = float("-inf") if late else self._look_again
            self._at = [(place, None) for place in late]
            return
        failpoint("rotate.before_retired")
        encryption.end_rotation(path, ring.generation)
        keyring(fresh=True)
