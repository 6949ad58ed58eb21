"""The content check: what each rule must refuse, and what only looks like it (must-show 6 of the issue)."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from yutang.content.checking import BrokenRules, check, require_clean
from yutang.content.documents import ContentRules, Place
from yutang.content.patterns import amount, folded, pattern
from yutang.kernel.documents import LOADER, read
from yutang.kernel.errors import BadDocument, BadInput

HERE = Path(__file__).parent / "sentences"
RULES = sorted(path.stem for path in HERE.glob("*.yaml"))


@cache
def shipped() -> ContentRules:
    """The rules as they come with the program."""
    document = read((Path(__file__).parents[2] / "playbooks" / "content" / "default.yaml").read_bytes())
    assert isinstance(document, ContentRules)
    return document


def sentences(folder: str, rule: str) -> dict[str, Any]:
    """The sentences of a file: texts with the place where they are to be said."""
    data = yaml.load((HERE / folder / f"{rule}.yaml").read_bytes(), Loader=LOADER)  # a safe loader
    for kind in ("refused", "passed"):
        data[kind] = [
            (one, Place.CHAT) if isinstance(one, str) else (one["say"], Place(one["place"])) for one in data[kind]
        ]
    return dict(data)


def rules(**rule: Any) -> ContentRules:
    """One rule of one's own."""
    head = {"kind": "content_rules", "name": "mine", "title": {"zh": "我的", "en": "Mine"}}
    about = {"name": "ads", "title": "广告", "law": "广告法"}
    groups = rule.pop("groups", {})
    names, spellings = rule.pop("names", []), rule.pop("spellings", {})
    return ContentRules.model_validate(
        head | {"groups": groups, "names": names, "spellings": spellings, "rules": [about | rule]}
    )


def said(text: str, own: ContentRules) -> list[str]:
    """The very words that are refused."""
    return [one.words for one in check(text, own)]


def test_every_rule_has_its_sentences() -> None:
    assert [rule.name for rule in sorted(shipped().rules, key=lambda rule: rule.name)] == RULES


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_refuses_what_it_must_and_passes_what_only_looks_like_it(rule: str) -> None:
    """Refused by this rule, with its law and the very words in their place; passed by all rules."""
    given = sentences("", rule)
    assert min(len(given["refused"]), len(given["passed"])) >= 40
    law = next(one.law for one in shipped().rules if one.name == rule)
    for text, place in given["refused"]:
        mine = [one for one in check(text, shipped(), place) if one.rule == rule]
        assert mine, text
        for one in mine:
            assert one.words == text[one.start : one.end]
            zh, en = one.sentence()
            assert law.zh in zh
            assert one.title.zh in zh
            assert one.words in zh
            assert law.en in en
            assert one.title.en in en
            assert one.words in en
    wrong = {text: found for text, place in given["passed"] if (found := check(text, shipped(), place))}
    assert not wrong


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize(
    "folder", ["held_out", "held_out_again", "held_out_third", "held_out_fourth", "held_out_fifth"]
)
def test_a_rule_does_no_worse_on_what_was_held_out_than_it_did(folder: str, rule: str) -> None:
    """Sentences written apart from the patterns: their first score is kept in the file, and told in the report; where
    the rules were widened since, what they reached then."""
    given = sentences(folder, rule)
    least = given.get("score", given["first_score"])
    assert min(len(given["refused"]), len(given["passed"])) >= 10
    found = {text: [one.rule for one in check(text, shipped(), place)] for text, place in given["refused"]}
    assert sum(rule in broken for broken in found.values()) >= least["refused"]
    clean = sum(not check(text, shipped(), place) for text, place in given["passed"])
    assert clean >= least["passed"]


@pytest.mark.long
@pytest.mark.parametrize("place", Place)
def test_what_shops_write_on_ordinary_days_breaks_no_rule(place: Place) -> None:
    data = yaml.load((HERE / "everyday" / "messages.yaml").read_bytes(), Loader=LOADER)  # a safe loader
    assert len(data["passed"]) >= 100
    assert [text for text in data["passed"] if check(text, shipped(), place)] == []


@pytest.mark.parametrize(
    "text",
    ["全国\u200b第一", "全\u2060国 第\n一", "ＢＥＳＴ in the\u00adworld", "全国\ufe0f第一", "全·国·第·一", "全國 第一"],
)
def test_no_unseen_or_wide_character_hides_a_forbidden_word(text: str) -> None:
    own = rules(words=["全国第一", "best in the world"])
    found = check(text, own)
    assert [text[one.start : one.end] for one in found] == [text]
    assert not check("本周新品到店", own)


def test_a_latin_word_stands_for_itself_and_not_for_its_part() -> None:
    own = rules(words=["best"])
    assert said("The best tea", own) == ["best"]
    assert not said("bestow", own) + said("a beast", own)


def test_gaps_end_with_the_clause_or_the_sentence() -> None:
    near, far = rules(words=["转发 .. 送"]), rules(words=["转发 ... 送"])
    assert said("转发就送", near)
    assert said("转发,就送", far)
    assert not said("转发,就送", near)
    assert not said("请转发。明天送货", far)
    assert not said("转发" + "字" * 30 + "送", far)


def test_excuses_cover_precede_follow_or_stand_beside() -> None:
    own = rules(
        words=["最佳"],
        unless=["最佳 赏味期"],
        unless_before=["不敢说 .."],
        unless_behind=["员工"],
        unless_beside=["广告法"],
    )
    for text in ("最佳赏味期两天", "不敢说我们最佳", "最佳员工小李", "广告法说,最佳不能写"):
        assert not check(text, own)
    assert said("不敢说贵,最佳选择", own) == ["最佳"]
    assert said("广告法是这样。我们最佳", own) == ["最佳"]


def test_names_of_brands_are_no_claims() -> None:
    own = rules(words=["第一"], names=["第一医药"])
    assert not check("第一医药周末开门", own)
    assert said("第一医药是第一", own) == ["第一"]


def test_what_needs_something_beside_it_or_a_place_holds_there_only() -> None:
    own = rules(clauses=[{"say": ["拼团"], "needs": ["{link}"], "places": ["moments"]}])
    assert not check("拼团开始", own, Place.MOMENTS)
    assert check("拼团 https://example.com/1", own, Place.MOMENTS)
    assert check("拼团开始", own, Place.MOMENTS, linked=True)
    assert not check("拼团 https://example.com/1", own, Place.CHAT)


@pytest.mark.parametrize(
    ("said", "value"),
    [("10万", 100_000), ("六万六", 66_000), ("四万九千", 49_000), ("88,000元", 88_000), ("6.6万元", 66_000),
     ("百万", 1e6), ("一万零五十", 10_050), ("¥50000", 50_000), ("十二", 12),
     ("50k", 50_000), ("三百二", 302), ("元", 0)],
)  # fmt: skip
def test_amounts_are_read_as_people_write_them(said: str, value: float) -> None:
    assert amount(said) == value


@pytest.mark.parametrize(
    "text",
    ["全🔥国🔥第一", "全囯第壹", "全國第yi", "全/国/第/一", "全国diyi"],
)
def test_pictures_variants_and_other_spellings_hide_no_forbidden_word(text: str) -> None:
    own = rules(words=["全国第一"], spellings={"第一": ["第壹", "第yi", "diyi"]})
    assert said(text, own) == [text]


def test_a_spelling_in_latin_letters_counts_right_beside_a_chinese_character_only() -> None:
    own = rules(words=["最好"], spellings={"最": ["zui"]})
    assert said("zui好的茶", own) == ["zui好"]
    assert not said("zui hao", own) + said("azui好", own)


def test_who_does_gets_stand_in_any_order_near_each_other_and_free_of_excuses() -> None:
    own = rules(clauses=[{"say": ["好评"], "beside": ["写|打", "返|送"]}], unless_before=["不"])
    assert said("写好评就返两元", own) == ["写好评就返"]
    assert said("返两元,请打个好评", own) == ["返两元,请打个好评"]
    assert not said("写好评。返两元", own) + said("写好评,不返两元", own) + said("写好评" + "字" * 31 + "返", own)


@pytest.mark.parametrize("text", ["伍万捌仟元", "捌万元", "十几万现金", "八十多万"])
def test_an_amount_as_banks_write_it_or_about_it_is_read(text: str) -> None:
    assert said(f"头奖{text}", rules(words=["头奖 {money>50000}"]))


def test_an_amount_must_be_above_its_limit() -> None:
    own = rules(words=["头奖 .. {money>50000}"])
    assert said("头奖现金6万元", own) == ["头奖现金6万元"]
    assert not said("头奖现金5万元", own) + said("头奖6万人次", own)


def test_finds_are_in_order_and_never_overlap_within_a_rule() -> None:
    own = rules(words=["最佳", "最佳选择", "第一"])
    found = check("第一,最佳选择,第一", own)
    assert [one.words for one in found] == ["第一", "最佳选择", "第一"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([".."], "no word"),
        (["了?"], "no word"),
        (["{nobody} 领"], "{nobody}"),
        (["字" * 1001], "1000"),
        (["|"], "no word"),
    ],
)
def test_a_pattern_that_says_nothing_is_refused_when_it_is_written(words: list[str], told: str) -> None:
    with pytest.raises((BadDocument, BadInput, ValueError), match=told.replace("{", r"\{").replace("|", r"\|")):
        rules(words=words)


def test_groups_that_name_each_other_end() -> None:
    with pytest.raises((BadInput, ValueError), match="group"):
        rules(words=["{a}"], groups={"a": ["{b}"], "b": ["{a}"]})


def test_rules_of_before_there_were_two_languages_are_still_read() -> None:
    own = rules(words=["最佳"])
    assert (own.rules[0].title.en, own.rules[0].law.en) == ("广告", "广告法")


def test_a_long_text_made_to_take_long_takes_no_longer_than_others() -> None:
    """Counted in steps of one pattern: gaps are bounded, so time grows with the text and not with its square."""
    spans = pattern("转发|分享 ... {number} ... 领", ()).spans(folded("转发" * 20_000).text)
    assert spans == []


def test_whoever_keeps_a_text_is_told_all_of_it_in_both_languages() -> None:
    with pytest.raises(BrokenRules) as caught:
        require_clean("全网最低价,转发领红包", shipped(), at="welcome")
    assert caught.value.zh.startswith("welcome：")
    assert "广告法第九条" in caught.value.zh
    assert "全网最低价" in caught.value.en
    assert "Inducement" in caught.value.en
    assert len(caught.value.findings) == 2
    assert check("", shipped()) == check("全网最低价", None) == []
