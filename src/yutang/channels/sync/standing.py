"""How a relation stands, by what was told of it in any order: pure, over whole Unix seconds as the platform says them.

Callbacks say when something happened. Reading says only what was visible when it began: a relation that the customer
ended is visible still, so `left` comes from callbacks alone; one that the member ended is not.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

SLACK = 60
"""Seconds by which a callback's time and a relation's own may differ, so that they are still one addition."""


@dataclass(frozen=True, slots=True)
class Standing:
    """When a relation was `added` last, `ended` by the member (or seen to be gone), and `left` by the customer."""

    added: int | None = None
    ended: int | None = None
    left: int | None = None

    @property
    def shown(self) -> bool:
        """Whether the platform shows it, as far as we were told."""
        return self.added is not None and (self.ended is None or self.ended < self.added)

    @property
    def live(self) -> bool:
        """Whether they are friends."""
        return self.shown and (self.left is None or self.added is None or self.left < self.added)

    def with_added(self, at: int) -> Standing:
        """Told that it was added at `at`: the same addition, a later one, or one that is long past."""
        if self.added is None:
            return replace(self, added=at)
        over = max((end for end in (self.ended, self.left) if end is not None and end >= self.added), default=None)
        again = at > self.added + SLACK or (over is not None and at > over)
        return replace(self, added=at) if again else self

    def with_ended(self, at: int) -> Standing:
        """Told that the member ended it at `at`."""
        return replace(self, ended=at if self.ended is None else max(at, self.ended))

    def with_left(self, at: int) -> Standing:
        """Told that the customer ended it at `at`."""
        return replace(self, left=at if self.left is None else max(at, self.left))

    def seen(self, created: int, began: int) -> Standing:
        """Shown by the platform, created at `created`, in a reading that began at `began` by our clock.

        What was told to have ended before that was added again, and we missed it; what ended since is not contradicted.
        """
        now = self.with_added(created)
        if now.shown or now.ended is None or now.ended >= began:
            return now
        return replace(now, added=max(created, now.ended + 1))

    def unseen(self, began: int) -> Standing:
        """Not shown by the platform, although all of this member's were, in a reading that began at `began`."""
        if not self.shown or self.added is None or self.added >= began:
            return self  # added while we read
        return replace(self, ended=max(began - 1, self.added))
