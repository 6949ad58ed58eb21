"""What a text calls its reader: `{称呼|您}` is their name, or what stands behind the bar where it is not known.

It is the one variable that differs from reader to reader, so it is filled in only where each gets a text of their own,
and only at that moment: a name stands in no text that is kept.
"""

from __future__ import annotations

import re

LONGEST = 20
"""Characters of a name: a longer one is cut there, so that a text that fits its channel does so once filled in."""
_CALLED = re.compile(r"\{\s*(?:称呼|name)\s*\|([^{}]*)\}")


def is_personal(text: str) -> bool:
    """Whether a text calls its reader by name."""
    return _CALLED.search(text) is not None


def called(text: str, name: str) -> str:
    """The text as somebody of that name reads it; of an empty name, as everybody does."""
    said = " ".join(name.split())[:LONGEST]
    return _CALLED.sub(lambda found: said or found[1], text)
