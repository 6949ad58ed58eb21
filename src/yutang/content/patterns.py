"""Words and gaps: the small language in which a content rule says what it looks for.

Nobody writes regular expressions: a text of the brand's own could make one run for ever. Here every gap is bounded,
every alternative is a plain word, and none repeats.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from yutang.content.variants import SIMPLIFIED
from yutang.kernel.errors import BadInput

Groups = tuple[tuple[str, tuple[str, ...]], ...]
Vocabulary = Mapping[str, tuple[str, ...]]

END = "。?;\n"  # where a sentence ends; full-width signs were folded. Calls are strung together: 好评!晒图!领2元
_GAPS = {  # Latin words are longer
    "..": f"(?:[^{END},!]{{0,8}}?|[a-z0-9 '$%-]{{0,24}}?)",
    "...": f"(?:[^{END}]{{0,24}}?|[a-z0-9 ,!'$%-]{{0,64}}?)",
}
LONGEST = 1000
_BEFORE = 40  # characters before a find in which an excuse may begin
_DEPTH = 4  # of groups that name groups
_HAN_DIGITS = {sign: value for value, sign in enumerate("零一二三四五六七八九")} | {"两": 2}
_HAN_UNITS = {"十": 10, "百": 100, "千": 1000}
_BIG = {"万": 10_000, "w": 10_000, "亿": 100_000_000, "k": 1000, "千": 1000, "百": 100}
_UNSEEN = frozenset({"Cf", "Cc", "Mn", "Me", "Sk", "Co", "Cn"})
_HAN = "[\u4e00-\u9fff]"
_NUMBER = r"(?:\d{1,12}(?:,\d{3}){0,4}(?:\.\d{1,4})?[百千]?[万亿wk]?|[零一二两三四五六七八九十百千万亿]{1,12})"
_COUNTED = (
    "人|名|份|次|户|家|张|位|粉|会员|顾客|步|公里|米|台|件|瓶|年|颗|只|条|册|亩|里|个人|多人|余人|小时|像素|毫安|转|杯|字|粒|单|公斤|斤"
    "|盒|票|朵|包|袋|罐|部|场|阅读|播放|积分|词|吨|度|平|束|桶|枚|根|篇|节|课|趟|箱|棵|头|匹|号|级|倍|好评|用户|毫升|双|支|把|本|首|个"
)
_COINS = "元|块|圆|rmb|cny|yuan|刀|美金"
_MONEY = (
    rf"(?:(?:¥|rmb|cny|人民币)\s?{_NUMBER}|{_NUMBER}\s?[多余来]?(?:{_COINS})"
    rf"|(?:\d{{1,9}}(?:\.\d{{1,4}})?[百千]?[万w]|[一二两三四五六七八九十百千几]{{1,6}}[多余来几]?万[一二三四五六七八九千百]{{0,4}}|[十百千]?百万|千万)"
    rf"[多余]?+(?!{_COUNTED}))"
)
_LINK = r"(?:https?://|www\.|t\.cn/|m\.)[a-z0-9.\-/_?=&%]{2,200}"
_BUILT_IN = {"number": _NUMBER, "money": _MONEY, "link": _LINK}
_AMOUNT = re.compile(_NUMBER)
_ABOUT = re.compile("[多余来几](?=万)")
_MEASURED = re.compile(r"\{(number|money)>(\d{1,12})\}")

_DECORATION = frozenset("·•・‧.*_~^-—–|/\\#☆★✦✧✩❤♥♡'\"“”‘’`´")
_MEANT = {"⭐": "星", "🌟": "星", "🧧": "红包", "👍": "赞", "👇": "下方"}
"""Pictures that are read as a word. Others say nothing: 全🔥国🔥第一 is 全国第一."""
_FORMAL = str.maketrans("壹贰叁肆伍陆柒捌玖拾佰仟零两", "一二三四五六七八九十百千零两")
_FIGURES = re.compile(r"[一二两三四五六七八九零壹贰叁肆伍陆柒捌玖拾佰仟十百千万]{2,}")


@dataclass(frozen=True, slots=True)
class Pattern:
    """A pattern as a regular expression, compiled when it is first looked for: a house that only reads its documents
    need not wait for hundreds. `least` are the amounts that its measured groups must be above, in order."""

    expression: str
    least: tuple[int, ...]

    def spans(self, text: str) -> list[tuple[int, int]]:
        """Where it stands in a folded text, from left to right, the shortest at each beginning."""
        return [found.span() for found in _compiled(self.expression).finditer(text) if self._enough(found)]

    def stands_in(self, text: str) -> bool:
        """Whether it stands anywhere in a folded text."""
        return any(self._enough(found) for found in _compiled(self.expression).finditer(text))

    def ends_at(self, text: str, end: int) -> bool:
        """Whether it stands right before a place."""
        return _ending(self.expression).search(text, max(0, end - _BEFORE), end) is not None

    def begins_at(self, text: str, start: int) -> bool:
        """Whether it stands right behind a place."""
        return _compiled(self.expression).match(text, start) is not None

    def _enough(self, found: re.Match[str]) -> bool:
        for index, least in enumerate(self.least):
            said = found.group(f"m{index}")  # None: another alternative was met
            if said is not None and amount(said) <= least:
                return False
        return True


@dataclass(frozen=True, slots=True)
class Folded:
    """A text as the rules read it; `places` and `ends` map each of its characters to the first and the last of those
    that it came from."""

    text: str
    places: tuple[int, ...]
    ends: tuple[int, ...]

    def original(self, start: int, end: int) -> tuple[int, int]:
        """The place in the original of a span of the folded text."""
        return self.places[start], self.ends[end - 1] + 1


def folded(text: str) -> Folded:
    """A text without what may hide a word in it: width, case, variants, pictures, unseen signs, spaces, dots and
    ornaments between Chinese characters, figures as banks write them. Lines stay apart."""
    signs = [
        (" " if (one.isspace() and one != "\n") or unicodedata.category(one) == "So" else one, index)
        for index, sign in enumerate(text)
        for one in _MEANT.get(sign) or unicodedata.normalize("NFKC", sign).casefold().translate(SIMPLIFIED)
        if one == "\n" or unicodedata.category(one) not in _UNSEEN
    ]
    kept = [
        (sign, index)
        for at, (sign, index) in enumerate(signs)
        if not (sign == " " and _beside_han(signs, at)) and not (sign in _DECORATION and _between_han(signs, at))
    ]
    plain = _FIGURES.sub(lambda found: found[0].translate(_FORMAL), "".join(sign for sign, _ in kept))
    places = tuple(index for _, index in kept)
    return Folded(plain, places, places)


def spellings(given: Mapping[str, Sequence[str]]) -> re.Pattern[str] | None:
    """What finds all ways of writing a word otherwise; None where there are none. Latin letters among them stand for a
    word only right beside a Chinese character: zui好, but no ZUI. Raises BadInput."""
    return _spelling(tuple(sorted({one for ways in given.values() for one in ways}, key=lambda one: (-len(one), one))))


@lru_cache(maxsize=64)
def _spelling(ways: tuple[str, ...]) -> re.Pattern[str] | None:
    pieces = []
    for way in ways:
        plain = folded(way).text.strip()
        if not plain:
            raise BadInput(f"「{way}」里没有字。", f"“{way}” has no character in it.")
        piece = re.escape(plain)
        head = r"(?<![a-z0-9])" if plain[0].isascii() else ""
        tail = r"(?![a-z0-9])" if plain[-1].isascii() else ""
        if plain.isascii():
            piece = f"(?:(?<={_HAN}){piece}|{piece}(?={_HAN}))"
        pieces.append(f"{head}{piece}{tail}")
    return re.compile("|".join(pieces)) if pieces else None


def respelled(plain: Folded, given: Mapping[str, Sequence[str]]) -> Folded:
    """A folded text in which every word stands as it is usually written."""
    expression = spellings(given)
    if expression is None or not expression.search(plain.text):
        return plain
    usual = {folded(way).text.strip(): folded(word).text for word, ways in given.items() for way in ways}
    pieces: list[str] = []
    places: list[int] = []
    ends: list[int] = []
    done = 0
    for found in expression.finditer(plain.text):
        start, end = found.span()
        word = usual[found[0]]
        pieces += [plain.text[done:start], word]
        places += [*plain.places[done:start], *[plain.places[start]] * len(word)]
        ends += [*plain.ends[done:start], *[plain.ends[end - 1]] * len(word)]
        done = end
    text = "".join(pieces) + plain.text[done:]
    return Folded(text, (*places, *plain.places[done:]), (*ends, *plain.ends[done:]))


def _neighbours(signs: list[tuple[str, int]], at: int) -> tuple[str, str]:
    """The nearest signs before and behind that are neither space nor ornament; empty at the ends."""
    before = next((s for s, _ in reversed(signs[max(0, at - 8) : at]) if s != " " and s not in _DECORATION), "")
    behind = next((s for s, _ in signs[at + 1 : at + 9] if s != " " and s not in _DECORATION), "")
    return before, behind


def _beside_han(signs: list[tuple[str, int]], at: int) -> bool:
    """A space says something between two Latin words only."""
    before, behind = _neighbours(signs, at)
    latin = before.isascii() and before.isalnum() and behind.isascii() and behind.isalnum()
    return not latin or (at > 0 and signs[at - 1][0] == " ")


def _between_han(signs: list[tuple[str, int]], at: int) -> bool:
    return all("\u4e00" <= sign <= "\u9fff" for sign in _neighbours(signs, at) if sign) and any(_neighbours(signs, at))


@lru_cache(maxsize=4096)
def pattern(text: str, groups: Groups) -> Pattern:
    """The pattern that a rule writes as `text`. Raises BadInput."""
    if not text.strip() or len(text) > LONGEST:
        raise BadInput(
            f"「{text[:30]}」不是词语：不能为空，也不能超过 {LONGEST} 个字。",
            f"“{text[:30]}” is no pattern: it is not empty, and has at most {LONGEST} characters.",
        )
    least: list[int] = []
    return Pattern(_sequence(text, dict(groups), least, _DEPTH), tuple(least))


def _sequence(
    text: str, groups: Vocabulary, least: list[int], depth: int, edges: tuple[bool, bool] = (True, True)
) -> str:
    """Words and gaps in a row, as an expression. `edges`: whether a Latin word must begin, and end, right there."""
    tokens = text.split()
    parts: list[str] = []
    firm = False
    for at, token in enumerate(tokens):
        if token in _GAPS:
            parts.append(_GAPS[token])
            continue
        if at and tokens[at - 1] not in _GAPS:
            parts.append(" ?")
        optional = token.endswith("?") and len(token) > 1
        firm = firm or not optional
        own = (
            edges[0] if at == 0 else tokens[at - 1] in _GAPS,
            edges[1] if at == len(tokens) - 1 else tokens[at + 1] in _GAPS,
        )
        piece = _alternatives(token.removesuffix("?") if optional else token, groups, least, depth, own)
        parts.append(f"(?:{piece}){'?' if optional else ''}")
    if not firm:
        raise BadInput(f"「{text}」里没有一定要出现的词。", f"“{text}” has no word that must be there.")
    return "".join(parts)


@lru_cache(maxsize=4096)
def _compiled(expression: str) -> re.Pattern[str]:
    return re.compile(expression)


@lru_cache(maxsize=4096)
def _ending(expression: str) -> re.Pattern[str]:
    return re.compile(f"(?:{expression})\\Z")


def _alternatives(token: str, groups: Vocabulary, least: list[int], depth: int, edges: tuple[bool, bool]) -> str:
    words = [word for word in token.split("|") if word]
    if not words:
        raise BadInput(f"「{token}」里没有词。", f"“{token}” has no word in it.")
    # the longest first: of two that begin alike the longer is what was said
    return "|".join(_word(word, groups, least, depth, edges) for word in sorted(words, key=len, reverse=True))


def _word(word: str, groups: Vocabulary, least: list[int], depth: int, edges: tuple[bool, bool]) -> str:
    if not word.startswith("{"):
        return _literal(word, edges)
    measured = _MEASURED.fullmatch(word)
    if measured:
        least.append(int(measured[2]))
        return f"(?P<m{len(least) - 1}>{_BUILT_IN[measured[1]]})"
    name = word[1:-1] if word.endswith("}") else ""
    if name in _BUILT_IN:
        return _BUILT_IN[name]
    if name not in groups or depth == 0:
        known = ", ".join(sorted({*groups, *_BUILT_IN}))
        raise BadInput(f"没有「{word}」这组词，可用：{known}。", f"There is no group “{word}”; there are: {known}.")
    return "(?:" + "|".join(_sequence(one, groups, least, depth - 1, edges) for one in groups[name]) + ")"


@lru_cache(maxsize=16384)
def _literal(word: str, edges: tuple[bool, bool]) -> str:
    plain = folded(word).text.strip()
    if not plain:
        raise BadInput(f"「{word}」里没有字。", f"“{word}” has no character in it.")
    # A line may break within a Chinese word, not within a Latin one; a Latin one stands for itself, not for its part.
    body = re.escape(plain) if plain.isascii() else r"\n?".join(re.escape(sign) for sign in plain)
    head = r"(?<![a-z0-9])" if edges[0] and plain[0].isascii() and plain[0].isalnum() else ""
    tail = r"(?![a-z0-9])" if edges[1] and plain[-1].isascii() and plain[-1].isalnum() else ""
    return f"{head}{body}{tail}"


def amount(said: str) -> float:
    """The number in what was said: 10万, 六万六, 88,000元. None there is 0."""
    found = _AMOUNT.search(_ABOUT.sub("", said.replace(" ", "").replace("几十", "二十")))
    if found is None:
        return 0.0
    text = found[0].replace(",", "")
    digits = re.match(r"\d+(?:\.\d+)?", text)
    if digits is None:
        return float(_han(text))
    value = float(digits[0])
    for sign in text[digits.end() :]:
        value *= _BIG[sign]
    return value


def _han(text: str) -> int:
    """A number in Chinese signs. After a unit a last digit counts the next lower one: 六万六 is 66,000."""
    for sign, unit in (("亿", 100_000_000), ("万", 10_000)):
        if sign in text:
            head, _, rest = text.rpartition(sign)
            low = _HAN_DIGITS[rest] * unit // 10 if rest in _HAN_DIGITS and len(rest) == 1 else _han(rest)
            return (_han(head) or 1) * unit + low
    value, digit = 0, 0
    for sign in text:
        if sign in _HAN_UNITS:
            value += (digit or 1) * _HAN_UNITS[sign]
            digit = 0
        else:
            digit = _HAN_DIGITS[sign]
    return value + digit
