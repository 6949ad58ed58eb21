"""WeCom's interception rules (敏感词, doc 95097) behind the port."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from yutang.channels.contracts import AnswerLost, RefusedByPlatform
from yutang.channels.ports.catalogue import InterceptRule, Semantics
from yutang.channels.wecom import errcodes
from yutang.channels.wecom.client import WeComClient
from yutang.kernel.errors import BadInput

ADD = "externalcontact/add_intercept_rule"
LIST = "externalcontact/get_intercept_rule_list"
GET = "externalcontact/get_intercept_rule"
UPDATE = "externalcontact/update_intercept_rule"
DELETE = "externalcontact/del_intercept_rule"

NAME_CHARACTERS, WORDS, WORD_CHARACTERS, NODES_A_CALL, MEMBERS = 20, 300, 32, 1_000, 10_000

T = TypeVar("T")


class WeComInterception:
    """`InterceptionPort` on WeCom doc 95097. Only rules that this app made can be changed."""

    def __init__(self, client: WeComClient) -> None:
        self._client = client

    def add_rule(self, rule: InterceptRule) -> str:
        """`add_intercept_rule`, which takes a thousand members; those beyond are added by further calls, so a rule
        that names more may be found with some of them only after `AnswerLost` or `TryLater`."""
        _check(rule)
        members, departments = _pieces(rule.members), _pieces(rule.departments)
        body = {
            "rule_name": rule.name,
            "word_list": list(rule.words),
            "semantics_list": sorted(rule.semantics),
            "intercept_type": 1 if rule.block else 2,
            "applicable_range": _nodes(members[0], departments[0]),
        }
        answer = self._client.call(ADD, body=body, repeatable=False)
        if not answer.get("rule_id"):
            raise AnswerLost(ADD, "no rule_id")
        rule_id = str(answer["rule_id"])
        self._reach(rule_id, "add_applicable_range", rule.members[NODES_A_CALL:], rule.departments[NODES_A_CALL:])
        return rule_id

    def find_rules(self) -> Mapping[str, str]:
        """`get_intercept_rule_list`."""
        rows = self._client.call(LIST).get("rule_list") or ()
        return {str(row["rule_id"]): str(row.get("rule_name") or "") for row in rows}

    def read_rule(self, rule_id: str) -> InterceptRule | None:
        """`get_intercept_rule`, by POST. The semantics stand in `extra_rule`; the docs' example has them beside it."""
        try:
            row = self._client.call(GET, body={"rule_id": rule_id}).get("rule") or {}
        except RefusedByPlatform as refused:
            if refused.errcode in errcodes.RULE_GONE:
                return None
            raise
        nodes = row.get("applicable_range") or {}
        semantics = (row.get("extra_rule") or {}).get("semantics_list") or row.get("semantics_list") or ()
        return InterceptRule(
            str(row.get("rule_name") or ""),
            tuple(map(str, row.get("word_list") or ())),
            row.get("intercept_type") == 1,
            tuple(map(str, nodes.get("user_list") or ())),
            tuple(map(int, nodes.get("department_list") or ())),
            frozenset(map(Semantics, semantics)),
        )

    def change_rule(self, rule_id: str, rule: InterceptRule) -> None:
        """`update_intercept_rule`. Adds to the range before it takes away, so that the rule always covers someone."""
        _check(rule)
        now = self.read_rule(rule_id)
        known = (now.members, now.departments) if now is not None else ((), ())
        self._client.call(
            UPDATE,
            body={
                "rule_id": rule_id,
                "rule_name": rule.name,
                "word_list": list(rule.words),
                "extra_rule": {"semantics_list": sorted(rule.semantics)},
                "intercept_type": 1 if rule.block else 2,
            },
        )
        wanted = {one.casefold() for one in rule.members}
        had = {one.casefold() for one in known[0]}
        self._reach(
            rule_id,
            "add_applicable_range",
            [one for one in rule.members if one.casefold() not in had],
            [one for one in rule.departments if one not in known[1]],
        )
        self._reach(
            rule_id,
            "remove_applicable_range",
            [one for one in known[0] if one.casefold() not in wanted],
            [one for one in known[1] if one not in rule.departments],
        )

    def delete_rule(self, rule_id: str) -> None:
        """`del_intercept_rule`; that it is gone, or never was, says that what was wanted is so."""
        try:
            self._client.call(DELETE, body={"rule_id": rule_id})
        except RefusedByPlatform as refused:
            if refused.errcode not in errcodes.RULE_GONE:
                raise

    def _reach(self, rule_id: str, how: str, members: Sequence[str], departments: Sequence[int]) -> None:
        if not members and not departments:
            return
        some, others = _pieces(members), _pieces(departments)
        for place in range(max(len(some), len(others))):
            nodes = _nodes(*(piece[place] if place < len(piece) else () for piece in (some, others)))
            self._client.call(UPDATE, body={"rule_id": rule_id, how: nodes})


def _pieces(nodes: Sequence[T]) -> list[Sequence[T]]:
    """As many as a call takes, in each; one empty piece of nothing."""
    return [nodes[first : first + NODES_A_CALL] for first in range(0, len(nodes), NODES_A_CALL)] or [()]


def _nodes(members: Sequence[Any], departments: Sequence[Any]) -> dict[str, Any]:
    body = {"user_list": list(members), "department_list": list(departments)}
    return {name: nodes for name, nodes in body.items() if nodes}


def _check(rule: InterceptRule) -> None:
    if not 1 <= len(rule.name) <= NAME_CHARACTERS:
        raise BadInput(
            f"敏感词规则的名称应为 1–{NAME_CHARACTERS} 个字。", f"A rule's name has 1–{NAME_CHARACTERS} characters."
        )
    if not 1 <= len(rule.words) <= WORDS:
        raise BadInput(
            f"一条规则应有 1–{WORDS} 个敏感词，现有 {len(rule.words)} 个。",
            f"A rule has 1–{WORDS} words; this one has {len(rule.words)}.",
        )
    for place, word in enumerate(rule.words, 1):
        if not 1 <= len(word) <= WORD_CHARACTERS:
            raise BadInput(
                f"第 {place} 个敏感词应为 1–{WORD_CHARACTERS} 个字。",
                f"Word {place} must have 1–{WORD_CHARACTERS} characters.",
            )
    if not rule.members and not rule.departments:
        raise BadInput("敏感词规则没有适用的成员或部门。", "The rule names no member and no department.")
    if len(rule.members) > MEMBERS:
        raise BadInput(
            f"一条规则最多 {MEMBERS} 位成员，请改用部门。",
            f"A rule names {MEMBERS} members at most; name departments instead.",
        )
