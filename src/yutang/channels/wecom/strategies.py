"""WeCom's rule groups (规则组): who manages which members with which rights, and the tags that only they use.

Docs 94883 (customer contact), 94890 (Moments) and 94882 (tags). The platform asks that they be changed one after
another: two at once are refused, and tried again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from yutang.channels.contracts import AnswerLost, RefusedByPlatform, UnexpectedAnswer
from yutang.channels.wecom import errcodes
from yutang.channels.wecom.client import WeComClient, instant
from yutang.kernel.errors import BadInput

ADMINS, NODES_A_CALL, NODES, TAG_CHARACTERS = 20, 100, 3_000, 30
MEMBER, DEPARTMENT = 1, 2

TAGS = "externalcontact/get_strategy_tag_list"
ADD_TAG = "externalcontact/add_strategy_tag"
EDIT_TAG = "externalcontact/edit_strategy_tag"
DELETE_TAG = "externalcontact/del_strategy_tag"

ALONE = "strategies"  # all of them: nothing else may change one meanwhile


class Kind(StrEnum):
    """What a rule group governs."""

    CUSTOMER = "customer_strategy"
    MOMENT = "moment_strategy"


@dataclass(frozen=True, slots=True)
class Nodes:
    """Members and departments that a group manages."""

    members: frozenset[str] = frozenset()
    departments: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class StrategySpec:
    """A group as the platform is to have it. Below a `parent` (0: none) it has the parent's rights, whatever is said.

    `rights` that are not named are granted; five of customer contact's are basic and cannot be taken away.
    """

    name: str
    admins: tuple[str, ...]
    nodes: Nodes
    parent: int = 0
    rights: Mapping[str, bool] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Strategy:
    """A group as the platform has it."""

    id: int
    created_at: datetime | None
    spec: StrategySpec


class WeComStrategies:
    """The groups of one kind that this app made; others it does not see."""

    def __init__(self, client: WeComClient, kind: Kind) -> None:
        self._client = client
        self._kind = kind

    def find(self) -> list[int]:
        """`list`: their ids, in order."""
        rows, _ = self._client.rows(self._api("list"), {"limit": 1000}, "strategy", lambda row: int(row["strategy_id"]))
        return sorted(int(row["strategy_id"]) for row in rows)

    def read(self, strategy: int) -> Strategy:
        """`get` and `get_range`. RefusedByPlatform for one that is not there."""
        api = self._api("get")
        row = self._client.call(api, body={"strategy_id": strategy}).get("strategy")
        if not isinstance(row, Mapping):
            raise UnexpectedAnswer(api, "没有规则组", "there is no strategy")
        return Strategy(
            strategy,
            instant(row.get("create_time")),
            StrategySpec(
                str(row.get("strategy_name") or ""),
                tuple(map(str, row.get("admin_list") or ())),
                self._nodes(strategy),
                int(row.get("parent_id") or 0),
                {str(name): bool(has) for name, has in (row.get("privilege") or {}).items()},
            ),
        )

    def create(self, spec: StrategySpec) -> int:
        """`create`. Not idempotent: on `AnswerLost` look with `find` and `read` for the name before creating again.

        A call takes a hundred nodes; the others follow by `edit`, which may be done again.
        """
        _check(spec)
        nodes = _rows(spec.nodes)
        body = {
            **({"parent_id": spec.parent} if spec.parent else {}),
            **_body(spec),
            "range": nodes[:NODES_A_CALL],
        }
        answer = self._client.call(self._api("create"), body=body, repeatable=False, alone=ALONE)
        if not isinstance(answer.get("strategy_id"), int):
            raise AnswerLost(self._api("create"), "no strategy_id")
        made = int(answer["strategy_id"])
        self._move(made, "range_add", nodes[NODES_A_CALL:])
        return made

    def change(self, strategy: int, spec: StrategySpec) -> None:
        """`edit`: make it so; again is no error. The parent cannot be changed."""
        _check(spec)
        now = self._nodes(strategy)
        self._client.call(self._api("edit"), body={"strategy_id": strategy, **_body(spec)}, alone=ALONE)
        had = {one.casefold() for one in now.members}
        wanted = {one.casefold() for one in spec.nodes.members}
        more = Nodes(
            frozenset(one for one in spec.nodes.members if one.casefold() not in had),
            spec.nodes.departments - now.departments,
        )
        less = Nodes(
            frozenset(one for one in now.members if one.casefold() not in wanted),
            now.departments - spec.nodes.departments,
        )
        # A group must manage somebody at every moment.
        self._move(strategy, "range_add", _rows(more))
        self._move(strategy, "range_del", _rows(less))

    def delete(self, strategy: int) -> None:
        """`del`; one that is not there says that what was wanted is so."""
        try:
            self._client.call(self._api("del"), body={"strategy_id": strategy}, alone=ALONE)
        except RefusedByPlatform as refused:
            if refused.errcode != errcodes.BAD_PARAMETER or strategy in self.find():
                raise

    def _api(self, name: str) -> str:
        return f"externalcontact/{self._kind}/{name}"

    def _nodes(self, strategy: int) -> Nodes:
        rows, _ = self._client.rows(
            self._api("get_range"),
            {"strategy_id": strategy, "limit": 1000},
            "range",
            lambda row: (int(row["type"]), str(row.get("userid") or row.get("partyid"))),
        )
        return Nodes(
            frozenset(str(row["userid"]) for row in rows if row["type"] == MEMBER),
            frozenset(int(row["partyid"]) for row in rows if row["type"] == DEPARTMENT),
        )

    def _move(self, strategy: int, how: str, nodes: Sequence[Mapping[str, Any]]) -> None:
        for first in range(0, len(nodes), NODES_A_CALL):
            body = {"strategy_id": strategy, how: list(nodes[first : first + NODES_A_CALL])}
            self._client.call(self._api("edit"), body=body, alone=ALONE)


@dataclass(frozen=True, slots=True)
class StrategyTag:
    """A tag of a rule group. The higher `order`, the earlier it is shown."""

    id: str
    name: str
    order: int
    created_at: datetime | None


@dataclass(frozen=True, slots=True)
class StrategyTagGroup:
    """Tags that belong together."""

    id: str
    name: str
    order: int
    strategy: int | None
    tags: tuple[StrategyTag, ...]


class WeComStrategyTags:
    """Tags of the rule groups of customer contact. Together with the corp's own at most 10,000 (40126)."""

    def __init__(self, client: WeComClient) -> None:
        self._client = client

    def find(
        self, strategy: int | None = None, groups: Sequence[str] = (), tags: Sequence[str] = ()
    ) -> list[StrategyTagGroup]:
        """`get_strategy_tag_list`. Empty lists are left out, since the platform refuses them (40068)."""
        asked: dict[str, Any] = {"strategy_id": strategy, "group_id": list(groups), "tag_id": list(tags)}
        answer = self._client.call(TAGS, body={name: value for name, value in asked.items() if value})
        return [_tag_group(row) for row in answer.get("tag_group") or ()]

    def add(self, strategy: int, group: str, names: Sequence[str]) -> StrategyTagGroup:
        """`add_strategy_tag`, to the group of this name, which is made where there is none; tells what is new.

        Names that are there already are left alone, so doing it again after a lost answer does no harm.
        """
        for name in (group, *names):
            if not 1 <= len(name) <= TAG_CHARACTERS:
                raise BadInput(
                    f"标签和标签组的名称应为 1–{TAG_CHARACTERS} 个字：「{name[:40]}」。",
                    f"Names of tags and groups have 1–{TAG_CHARACTERS} characters: “{name[:40]}”.",
                )
        if not names:
            raise BadInput("没有要添加的标签。", "There is no tag to add.")
        body = {"strategy_id": strategy, "group_name": group, "tag": [{"name": name} for name in names]}
        answer = self._client.call(ADD_TAG, body=body, alone=ALONE)
        return _tag_group(answer.get("tag_group") or {})

    def change(self, id: str, name: str = "", order: int | None = None) -> None:
        """`edit_strategy_tag`, of a tag or a group of tags."""
        said = {**({"name": name} if name else {}), **({"order": order} if order is not None else {})}
        self._client.call(EDIT_TAG, body={"id": id, **said}, alone=ALONE)

    def delete(self, tags: Sequence[str] = (), groups: Sequence[str] = ()) -> None:
        """`del_strategy_tag`, one by one, since one that is gone would keep the others: it is as it was wanted."""
        for name, ids in (("tag_id", tags), ("group_id", groups)):
            for one in ids:
                try:
                    self._client.call(DELETE_TAG, body={name: [one]}, alone=ALONE)
                except RefusedByPlatform as refused:
                    if refused.errcode != errcodes.NO_SUCH_TAG:
                        raise


def _body(spec: StrategySpec) -> dict[str, Any]:
    rights = {"privilege": dict(spec.rights)} if spec.rights and not spec.parent else {}
    return {"strategy_name": spec.name, "admin_list": list(spec.admins), **rights}


def _rows(nodes: Nodes) -> list[Mapping[str, Any]]:
    return [
        *({"type": MEMBER, "userid": one} for one in sorted(nodes.members)),
        *({"type": DEPARTMENT, "partyid": one} for one in sorted(nodes.departments)),
    ]


def _check(spec: StrategySpec) -> None:
    if not spec.name:
        raise BadInput("规则组没有名称。", "The rule group has no name.")
    if not 1 <= len(spec.admins) <= ADMINS:
        raise BadInput(f"规则组应有 1–{ADMINS} 位负责人。", f"A rule group has 1–{ADMINS} administrators.")
    count = len(spec.nodes.members) + len(spec.nodes.departments)
    if not 1 <= count <= NODES:
        raise BadInput(
            f"规则组应管理 1–{NODES} 个成员和部门，现有 {count} 个。",
            f"A rule group manages 1–{NODES} members and departments; this one {count}.",
        )


def _tag_group(row: Mapping[str, Any]) -> StrategyTagGroup:
    if not row.get("group_id"):
        raise UnexpectedAnswer(TAGS, "标签组没有 ID", "a tag group has no id")
    strategy = row.get("strategy_id")
    return StrategyTagGroup(
        str(row["group_id"]),
        str(row.get("group_name") or ""),
        int(row.get("order") or 0),
        int(strategy) if strategy is not None else None,
        tuple(
            StrategyTag(
                str(tag["id"]), str(tag.get("name") or ""), int(tag.get("order") or 0), instant(tag.get("create_time"))
            )
            for tag in row.get("tag") or ()
        ),
    )
