"""By what pages of the phone speak to WeCom: the channels of this process, handed in where the addresses are wired."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from yutang.channels.wecom.directory import WeComVisitors
from yutang.channels.wecom.jssdk import WeComPages
from yutang.channels.wecom.media import WeComMedia


class Speaking(Protocol):
    """What this room needs of the channels, by (channel, corp). `sandbox`: where our own sandbox answers."""

    @property
    def sandbox(self) -> str: ...

    def pages(self) -> Mapping[tuple[str, str], WeComPages]: ...

    def media(self) -> Mapping[tuple[str, str], WeComMedia]: ...

    def visitors(self) -> Mapping[tuple[str, str], WeComVisitors]: ...


_here: Callable[[], Speaking] | None = None


def speak_by(here: Callable[[], Speaking]) -> None:
    """Let the pages speak by these channels."""
    global _here
    _here = here


def spoken() -> Speaking:
    """The channels."""
    assert _here is not None
    return _here()
