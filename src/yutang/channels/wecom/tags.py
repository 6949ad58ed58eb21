"""The corp's tags, and marking customers with them (WeCom docs 92117 and 92118)."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from yutang.channels.contracts import AnswerLost, RefusedByPlatform, UnexpectedAnswer
from yutang.channels.wecom import errcodes
from yutang.channels.wecom.client import WeComClient, instant
from yutang.kernel.errors import BadInput

LIST = "externalcontact/get_corp_tag_list"
ADD = "externalcontact/add_corp_tag"
EDIT = "externalcontact/edit_corp_tag"
DELETE = "externalcontact/del_corp_tag"
MARK = "externalcontact/mark_tag"
NAME_CHARACTERS = 30
MOST_OF_A_PAIR = 3_000


@dataclass(frozen=True, slots=True)
class CorpTag:
    """A tag of the corp. `order`: the higher, the further in front."""

    id: str
    name: str
    group_id: str
    group: str
    order: int = 0
    created_at: datetime | None = None


class WeComTags:
    """Only what this app made may be changed or deleted by it (48002 else); all tags may be marked."""

    def __init__(self, client: WeComClient) -> None:
        self._client = client
        self._guard = threading.Lock()
        self._pairs: set[tuple[str, str]] = set()
        self._free = threading.Condition(self._guard)

    def all(self) -> list[CorpTag]:
        """Every tag that is not deleted."""
        return self._read({})

    def some(self, tags: Sequence[str] = (), groups: Sequence[str] = ()) -> list[CorpTag]:
        """Those of these tags, or, if groups are named, all of these groups, that are there."""
        named = {"tag_id": list(tags), "group_id": list(groups)}
        body = {name: ids for name, ids in named.items() if ids}  # an empty list is refused
        if not body:
            return []
        try:
            return self._read(body)
        except RefusedByPlatform as refused:
            if refused.errcode == errcodes.NO_SUCH_TAG:
                return []
            raise

    def _read(self, body: Mapping[str, Any]) -> list[CorpTag]:
        found = []
        for group in self._client.call(LIST, body=body).get("tag_group") or ():
            if not group.get("deleted"):
                found += _tags(LIST, group)
        return found

    def add(self, group: str, names: Sequence[str]) -> list[CorpTag]:
        """Let a group of that name have tags of these names; made are only those that are not there.

        Not idempotent by itself, so it is asked once; where the answer is lost, or somebody was first, the list says
        what became of it. Raises `AnswerLost` where even that does not tell.
        """
        for name in (group, *names):
            if not name or len(name) > NAME_CHARACTERS:
                raise BadInput(
                    f"标签名「{name[:40]}」应有 1–{NAME_CHARACTERS} 个字。",
                    f"The tag's name “{name[:40]}” must have 1–{NAME_CHARACTERS} characters.",
                )
        missing = self._missing(group, names)
        for last in (False, True):
            if not missing:
                break
            body = {"group_name": group, "tag": [{"name": name} for name in missing]}
            try:
                self._client.call(ADD, body=body, repeatable=False)
            except AnswerLost:
                if last:
                    raise
            except RefusedByPlatform as refused:
                if last or refused.errcode != errcodes.TAG_NAME_TAKEN:
                    raise
            missing = self._missing(group, names)
        wanted = set(names)
        return [one for one in self.all() if one.group == group and one.name in wanted]

    def _missing(self, group: str, names: Sequence[str]) -> list[str]:
        there = {one.name for one in self.all() if one.group == group}
        return [name for name in dict.fromkeys(names) if name not in there]

    def edit(self, id: str, *, name: str = "", order: int | None = None) -> None:
        """Rename a tag or a group of our own, or move it. Again is no error."""
        said: dict[str, Any] = ({"name": name} if name else {}) | ({} if order is None else {"order": order})
        if said:
            self._client.call(EDIT, body={"id": id, **said})

    def delete(self, tags: Sequence[str] = (), groups: Sequence[str] = ()) -> None:
        """Delete tags, and groups with all their tags, of our own; those that are gone already are no error.

        With its last tag a group goes.
        """
        for kind, ids in (("tag_id", tags), ("group_id", groups)):
            for one in ids:  # each for itself: one that is gone refuses the whole call
                try:
                    self._client.call(DELETE, body={kind: [one]})
                except RefusedByPlatform as refused:
                    if refused.errcode != errcodes.NO_SUCH_TAG:
                        raise

    def mark(self, userid: str, external_userid: str, put_on: Sequence[str], taken_off: Sequence[str]) -> None:
        """Put these tags on a relation and take others off. Again is no error; the platform calls nothing back.

        Marks of one relation go one after another here: two at once are refused with 45035, which is `TryLater`.
        """
        body = {"add_tag": list(put_on), "remove_tag": list(taken_off)}
        named = {name: ids for name, ids in body.items() if ids}
        if not named:
            return
        with self._alone((userid.casefold(), external_userid)):
            self._client.call(MARK, body={"userid": userid, "external_userid": external_userid, **named})

    @contextmanager
    def _alone(self, pair: tuple[str, str]) -> Iterator[None]:
        with self._free:
            self._free.wait_for(lambda: pair not in self._pairs)
            self._pairs.add(pair)
        try:
            yield
        finally:
            with self._free:
                self._pairs.discard(pair)
                self._free.notify_all()


def _tags(api: str, group: Mapping[str, Any]) -> list[CorpTag]:
    try:
        return [
            CorpTag(
                str(tag["id"]),
                str(tag["name"]),
                str(group["group_id"]),
                str(group["group_name"]),
                int(tag.get("order") or 0),
                instant(tag.get("create_time")),
            )
            for tag in group.get("tag") or ()
            if not tag.get("deleted")
        ]
    except (KeyError, TypeError):
        raise UnexpectedAnswer(api, "有一个标签缺少 ID", "a tag lacks its id") from None
