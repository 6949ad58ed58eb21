"""The segment builder's form: a tree of groups and rows, kept in step with the document it stands for.

A node's fields are named by its place: `r_0_1-trait` is the trait of the second row of the root's first branch. What
the form has no fields for stays a row of its own that holds the rule's YAML, so that nothing a document says is lost.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml
from django.http import QueryDict

from yutang.console.pages import language
from yutang.kernel.documents import Part, parse
from yutang.kernel.errors import BadDocument, BadInput, YutangError
from yutang.log.vocabulary import VOCABULARY
from yutang.profiles.traits import TRAITS, TraitType
from yutang.segments import services as segments
from yutang.segments.documents import OPERATORS, SHARE, All, Any_, Not, SegmentDocument

ROOT = "r"
GROUPS = ("all", "any", "none")
KINDS = (
    "trait",
    "bought",
    "event",
    "tag",
    "store",
    "region",
    "consent",
    "segment",
    "pool",
    "in_group",
    "looks_like",
    "raw",
)
MOST_NODES = 200
_NUMBERS = frozenset({TraitType.COUNT, TraitType.MONEY, TraitType.NUMBER})
_BOUNDS = ("is", "is_not", "at_least", "at_most", "more_than", "less_than", "between")


@dataclass(slots=True)
class Node:
    """A group (`op` and `branches`) or a row (`kind`, its single `values` and its `lists`)."""

    place: str
    kind: str
    op: str = "all"
    branches: list[Node] = field(default_factory=list)
    values: dict[str, str] = field(default_factory=dict)
    lists: dict[str, list[str]] = field(default_factory=dict)
    problem: str = ""

    @property
    def trait_type(self) -> str:
        """The type of the row's trait."""
        trait = TRAITS.get(self.values.get("trait", ""))
        return trait.type.value if trait else ""

    @property
    def operators(self) -> list[str]:
        """The comparisons that the row's trait knows."""
        trait = TRAITS.get(self.values.get("trait", ""))
        allowed = OPERATORS[trait.type] if trait else frozenset()
        return [name for name in (*_BOUNDS, "in", "known") if name in allowed]

    @property
    def choices(self) -> tuple[str, ...]:
        """All values of the row's trait, where they are few."""
        trait = TRAITS.get(self.values.get("trait", ""))
        return trait.choices if trait else ()

    @property
    def props(self) -> list[str]:
        """The texts that the row's event carries."""
        kind = VOCABULARY.get(self.values.get("event", ""))
        return [name for name, prop in kind.props.items() if prop.type is str and not prop.pii] if kind else []


# Document to form -------------------------------------------------------------------------------------------------


def tree_of(where: Mapping[str, Any]) -> Node:
    """The form's tree for a rule in plain data; the root is always a group."""
    node = _node(where)
    root = node if node.kind == "group" else Node("", "group", "all", [node])
    return placed(root)


def placed(node: Node, place: str = ROOT) -> Node:
    """The tree with every node's place set anew."""
    node.place = place
    for index, branch in enumerate(node.branches):
        placed(branch, f"{place}_{index}")
    return node


def _node(rule: Mapping[str, Any]) -> Node:
    if "all" in rule or "any" in rule:
        op = "all" if "all" in rule else "any"
        return Node("", "group", op, [_node(branch) for branch in rule[op]])
    if "not" in rule:
        inner = _node(rule["not"])
        return Node("", "group", "none", inner.branches if inner.op == "any" and inner.branches else [inner])
    rows = [_row(part) for part in _single(rule)]
    return rows[0] if len(rows) == 1 else Node("", "group", "all", rows)


def _single(rule: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A rule with several comparisons, as several rules with one each: together they say the same."""
    plain = dict(rule)
    if "trait" in plain and len(plain) > 2:
        return [{"trait": plain["trait"], name: value} for name, value in plain.items() if name != "trait"]
    if "bought" in plain and plain.get("baskets") and plain.get("spend"):
        rest = {name: value for name, value in plain.items() if name not in ("baskets", "spend")}
        return [{**rest, "baskets": plain["baskets"]}, {**rest, "spend": plain["spend"]}]
    return [plain]


def _row(rule: dict[str, Any]) -> Node:
    row = _filled(rule)
    if row is not None and _same(row, rule):
        return row
    text = yaml.safe_dump(rule, allow_unicode=True, sort_keys=False, default_flow_style=None, width=90)
    return Node("", "raw", values={"yaml": text.strip()})


def _same(row: Node, rule: Mapping[str, Any]) -> bool:
    """Whether the row says the rule, wholly."""
    try:
        return _document(_rule(row)) == _document(rule)
    except YutangError:
        return False


def _filled(rule: dict[str, Any]) -> Node | None:
    kind = next((kind for kind in KINDS if kind in rule), None)
    if kind is None:
        return None
    node = Node("", kind)
    values = node.values
    match kind:
        case "trait":
            name, given = next((name, value) for name, value in rule.items() if name != "trait")
            values.update(trait=rule["trait"], operator=name)
            _give(node, name, given)
        case "bought":
            node.lists["categories"] = _texts(rule["bought"].get("categories"))
            measure = next((name for name in ("baskets", "spend") if rule.get(name)), "")
            values["measure"] = measure
            if measure:
                _bound(node, rule[measure])
        case "event":
            values["event"] = rule["event"]
            _bound(node, rule.get("count") or {"at_least": 1})
            for name, wanted in (rule.get("where") or {}).get("props", {}).items():
                values["prop"] = name
                node.lists["props"] = _texts(wanted)
        case "tag":
            node.lists["tags"] = _texts(rule["tag"])
        case "in_group":
            node.lists["groups"] = _texts(rule["in_group"])
        case "looks_like":
            likeness = rule["looks_like"]
            most = likeness.get("top")
            values.update(
                segment=likeness["segment"], measure="top" if most else "share",
                value=str(most or _percent(likeness.get("share") or SHARE)),
            )  # fmt: skip
            node.lists["traits"] = _texts(likeness.get("traits"))
        case "store" | "region":
            node.lists["codes"] = _texts(rule[kind])
            values["by"] = rule.get("by", "home")
        case "consent":
            values.update(purpose=rule["consent"]["purpose"], channel=rule["consent"].get("channel", "*"))
        case _:
            values[kind] = str(rule[kind])
    _spans(node, rule)
    return node


def _give(node: Node, operator: str, given: Any) -> None:
    if operator == "between":
        node.values["value"], node.values["value2"] = (str(one) for one in given)
    elif operator == "in":
        node.lists["values"] = [str(one) for one in given]
    elif isinstance(given, bool):
        node.values["value"] = "true" if given else "false"
    else:
        node.values["value"] = str(given)


def _bound(node: Node, bounds: Mapping[str, Any]) -> None:
    for name, given in bounds.items():
        node.values["operator"] = name
        _give(node, name, given)


def _spans(node: Node, rule: Mapping[str, Any]) -> None:
    if rule.get("within"):
        node.values.update(window="within", span=str(rule["within"])[:-1], unit=str(rule["within"])[-1])
    elif rule.get("since") or rule.get("until"):
        node.values.update(window="days", since=str(rule.get("since") or ""), until=str(rule.get("until") or ""))


def _texts(given: object) -> list[str]:
    if isinstance(given, str) or not isinstance(given, Iterable):
        return [] if given is None else [str(given)]
    return [str(one) for one in given]


# Form to document -------------------------------------------------------------------------------------------------


def first_row() -> Node:
    """The row that an empty form begins with."""
    return _sensible(Node("", "trait"))


def posted(data: QueryDict, place: str = ROOT, left: list[int] | None = None) -> Node:
    """The tree that the browser sent. Raises BadInput for one that is too large."""
    left = [MOST_NODES] if left is None else left
    left[0] -= 1
    if left[0] < 0:
        raise BadInput(
            f"条件超过 {MOST_NODES} 个，请拆成几个分群。", f"More than {MOST_NODES} conditions; split the segment."
        )
    kind = data.get(f"{place}-kind", "trait")
    if kind == "group":
        op = data.get(f"{place}-op", "all")
        text = data.get(f"{place}-n", "0")
        count = int(text) if text.isdecimal() and len(text) < 4 else 0
        branches = [posted(data, f"{place}_{index}", left) for index in range(count)]
        return Node(place, "group", op if op in GROUPS else "all", branches)
    node = Node(place, kind if kind in KINDS else "trait")
    start = f"{place}-"
    for name in data:
        if name.startswith(start):
            key = name.removeprefix(start)
            if key.endswith("[]"):
                node.lists.setdefault(key[:-2], []).extend(text for text in data.getlist(name) if text.strip())
            elif key not in ("kind", "n", "op"):
                node.values[key] = (data.get(name) or "").strip()
    for key, texts in node.lists.items():
        node.lists[key] = list(dict.fromkeys(text.strip() for text in texts))
    return _sensible(node)


def _sensible(node: Node) -> Node:
    """Give a row whose kind was just chosen its first values."""
    values = node.values
    match node.kind:
        case "trait":
            if values.get("trait") not in TRAITS:
                values["trait"] = "orders_ever"
            if values.get("operator") not in node.operators:
                values["operator"] = node.operators[0] if "at_least" not in node.operators else "at_least"
        case "event":
            values.setdefault("event", "campaign.targeted")
            values.setdefault("operator", "at_least")
            values.setdefault("value", "1")
        case "bought":
            values.setdefault("operator", "at_least")
            values.setdefault("value", "1")
        case "consent":
            values.setdefault("purpose", "marketing")
            values.setdefault("channel", "*")
        case "pool":
            values.setdefault("pool", "customer")
        case "looks_like":
            values.setdefault("measure", "share")
            values.setdefault("value", _percent(SHARE))
    return node


def changed(root: Node, act: str) -> Node:
    """The tree after a button: `add:PLACE`, `group:PLACE`, `drop:PLACE`, `unlist:PLACE:KEY:INDEX`."""
    what, _, rest = act.partition(":")
    place, _, more = rest.partition(":")
    parent, spot = _found(root, place)
    node = parent.branches[spot] if parent and spot is not None else root
    match what:
        case "add":
            node.branches.append(first_row())
        case "group":
            node.branches.append(Node("", "group", "any", [first_row()]))
        case "drop" if parent is not None and spot is not None:
            parent.branches.pop(spot)
        case "unlist":
            key, _, index = more.partition(":")
            if index.isdecimal() and int(index) < len(node.lists.get(key, [])):
                node.lists[key].pop(int(index))
    return placed(root)


def _found(root: Node, place: str) -> tuple[Node | None, int | None]:
    node, parent, spot = root, None, None
    for step in place.split("_")[1:]:
        if not step.isdecimal() or int(step) >= len(node.branches):
            return None, None
        parent, spot = node, int(step)
        node = node.branches[spot]
    return parent, spot


def data_of(root: Node) -> dict[str, Any] | None:
    """The rule that the tree says, in plain data; None where a row has a problem, which is noted beside it."""
    return _data(root)


def _data(node: Node) -> dict[str, Any] | None:
    if node.kind != "group":
        return _checked(node)
    if not node.branches:
        empty = BadInput(
            "这一组还是空的，加一个条件，或删掉这一组。", "This group is empty; add a condition, or drop it."
        )
        node.problem = _said(empty)
        return None
    branches = [_data(branch) for branch in node.branches]
    if any(branch is None for branch in branches):
        return None
    if node.op == "none":
        return {"not": branches[0] if len(branches) == 1 else {"any": branches}}
    return branches[0] if len(branches) == 1 and node.place == ROOT else {node.op: branches}


def _checked(node: Node) -> dict[str, Any] | None:
    try:
        rule = _rule(node)
        segments.check(_document(rule))
    except YutangError as error:
        node.problem = _said(error)
        return None
    return rule


def _document(rule: Mapping[str, Any]) -> SegmentDocument:
    return parse(SegmentDocument, {"kind": "segment", "name": "x", "title": {"zh": "x", "en": "x"}, "where": rule})


def _said(error: YutangError) -> str:
    english = language().startswith("en")
    if isinstance(error, BadDocument):
        return error.problems[0].en if english else error.problems[0].zh
    return error.sentence(language())


def _rule(node: Node) -> dict[str, Any]:
    """A row as a rule. Raises BadInput where a field is empty or is no number."""
    values, lists = node.values, node.lists
    match node.kind:
        case "trait":
            kind = TRAITS[values["trait"]].type
            return {"trait": values["trait"], values["operator"]: _compared(node, kind)}
        case "bought":
            rule: dict[str, Any] = {"bought": {"categories": _some(lists.get("categories"), "品类", "category")}}
            if values.get("measure") in ("baskets", "spend"):
                rule[values["measure"]] = {values["operator"]: _compared(node, TraitType.NUMBER)}
            return {**rule, **_windowed(node)}
        case "event":
            rule = {"event": values["event"], "count": {values["operator"]: _compared(node, TraitType.COUNT)}}
            if values.get("prop") in node.props and lists.get("props"):
                rule["where"] = {"props": {values["prop"]: lists["props"]}}
            return {**rule, **_windowed(node)}
        case "tag":
            return {"tag": _some(lists.get("tags"), "标签", "tag")}
        case "in_group":
            return {"in_group": _some(lists.get("groups"), "群", "group")}
        case "store" | "region":
            what = ("门店", "store") if node.kind == "store" else ("区域", "region")
            return {node.kind: _some(lists.get("codes"), *what), "by": values.get("by") or "home"}
        case "looks_like":
            return {"looks_like": _likeness(values, lists)}
        case "consent":
            return {"consent": {"purpose": values["purpose"], "channel": values["channel"]}}
        case "raw":
            return _raw(values.get("yaml", ""))
    if not values.get(node.kind):
        raise BadInput("请选择一个。", "Choose one.")
    return {node.kind: values[node.kind]}


def _likeness(values: Mapping[str, str], lists: Mapping[str, list[str]]) -> dict[str, Any]:
    if not values.get("segment"):
        raise BadInput("请选择像哪个分群的人。", "Choose the segment whom they should look like.")
    number = _value(values.get("value", ""), TraitType.NUMBER)
    wanted = {"top": number} if values.get("measure") == "top" else {"share": round(number / 100, 6)}
    named = {"traits": lists["traits"]} if lists.get("traits") else {}
    return {"segment": values["segment"], **wanted, **named}


def _percent(share: float) -> str:
    return f"{round(share * 100, 4):g}"


def _some(texts: Sequence[str] | None, zh: str, en: str) -> list[str]:
    if not texts:
        raise BadInput(f"请至少填一个{zh}。", f"Give at least one {en}.")
    return list(texts)


def _raw(text: str) -> dict[str, Any]:
    try:
        rule = yaml.safe_load(text)
    except yaml.YAMLError:
        rule = None
    if not isinstance(rule, dict):
        raise BadInput("这一条不是有效的规则文档。", "This is not a valid rule in YAML.")
    return rule


def _compared(node: Node, kind: TraitType) -> Any:
    values = node.values
    match values.get("operator"):
        case "between":
            return [_value(values.get("value", ""), kind), _value(values.get("value2", ""), kind)]
        case "in":
            return [_value(text, kind) for text in _some(node.lists.get("values"), "值", "value")]
        case "known":
            return values.get("value", "true") != "false"
    return _value(values.get("value", ""), kind)


def _value(text: str, kind: TraitType) -> Any:
    if kind is TraitType.FLAG:
        return text != "false"
    if kind not in _NUMBERS:
        if not text:
            raise BadInput("请填写值。", "Give a value.")
        return text
    try:
        number = float(text.replace(",", ""))
    except ValueError:
        raise BadInput(
            f"「{text[:20]}」不是数。" if text else "请填一个数。",
            f"“{text[:20]}” is not a number." if text else "Give a number.",
        ) from None
    return int(number) if number.is_integer() and abs(number) < 1e15 else number


def _windowed(node: Node) -> dict[str, Any]:
    values = node.values
    match values.get("window"):
        case "within":
            return {"within": f"{values.get('span') or ''}{values.get('unit') or 'd'}"}
        case "days":
            return {name: values[name] for name in ("since", "until") if values.get(name)}
    return {}


def quick(rule: Part) -> bool:
    """Whether counting a rule needs nobody's events or purchases looked through, and so takes no time to speak of."""
    match rule:
        case All():
            return all(quick(branch) for branch in rule.all_)
        case Any_():
            return all(quick(branch) for branch in rule.any_)
        case Not():
            return quick(rule.not_)
    return type(rule).__name__ not in (
        "EventRule",
        "BoughtRule",
        "SegmentRule",
        "RecordedRule",
        "InGroupRule",
        "LooksLikeRule",
    )
