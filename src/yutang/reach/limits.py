"""What a channel can carry, and when: its connectors say so, and a plan is told while it is written."""

from __future__ import annotations

from datetime import time

from yutang.channels.capabilities import capabilities, of_channel
from yutang.channels.contracts import Capabilities
from yutang.content.documents import Said
from yutang.files.contracts import digest_in
from yutang.kernel.errors import BadInput


def way_of(channel: str) -> Capabilities:
    """How a channel comes to people. Raises BadInput for one that nothing serves.

    All its connectors address people alike; what one of them can carry, the channel can.
    """
    ways = of_channel(channel)
    if not ways:
        known = ", ".join(dict.fromkeys(one.channel for one in capabilities().values()))
        raise BadInput(
            f"没有「{channel}」这个渠道，可用：{known}。", f"There is no channel “{channel}”; there are: {known}."
        )
    return max(ways, key=lambda one: (one.marketing, one.text))


def check_text(channel: str, text: str, *, marketing: bool) -> None:
    """Raise BadInput for what no connector of a channel can carry. `marketing`: the text sells something."""
    way = way_of(channel)
    if way.window is not None:
        raise BadInput(
            f"「{way.zh}」只能在客户来说话之后回复，不能用来群发。",
            f"On {way.en} the brand may only answer whoever has written to it; it carries no broadcasts.",
        )
    if marketing and not way.marketing:
        raise BadInput(f"「{way.zh}」不许发营销内容。", f"{way.en} carries no marketing.")
    size = len(text) if way.characters else len(text.encode())
    if size > way.text:
        unit_zh, unit_en = ("个字", "characters") if way.characters else ("字节", "bytes")
        about = "" if way.characters else f"（约 {way.text // 300 * 100} 个汉字）"
        raise BadInput(
            f"文案有 {size} {unit_zh}，{way.zh}最多 {way.text} {unit_zh}{about}，请缩短。",
            f"the text has {size:,} {unit_en}; {way.en} takes at most {way.text:,}; shorten it.",
        )


_PARTS = {
    "pictures": ("图片", "pictures"),
    "link": ("链接卡片", "link cards"),
    "mini_program": ("小程序卡片", "cards of mini programs"),
    "video": ("视频", "videos"),
    "file": ("文件", "files"),
}


def check_parts(channel: str, message: Said) -> None:
    """Raise BadInput for what a channel cannot carry of what stands beside a text, all of it named at once."""
    way = way_of(channel)
    most = {
        "pictures": way.pictures,
        "link": way.links,
        "mini_program": way.mini_programs,
        "video": way.videos,
        "file": way.files,
    }
    counts = {name: len(part) if name == "pictures" else 1 for name, part in message.parts().items()}
    unfit = [_PARTS[name] for name, count in counts.items() if count > most[name]]
    if unfit:
        zh, en = "、".join(one[0] for one in unfit), ", ".join(one[1] for one in unfit)
        raise BadInput(
            f"「{way.zh}」带不了{zh}：请换一个渠道，或换一段不带它们的内容。",
            f"{way.en} carries no {en}: choose another channel, or a content without them.",
        )
    elsewhere = [name for name, (_kind, address) in message.sources().items() if not digest_in(address)]
    if way.uploads and elsewhere:
        raise BadInput(
            f"「{way.zh}」只能发已上传的图片和视频，不能发网址上的（{'、'.join(elsewhere)}）：请到内容库上传后再选。",
            f"{way.en} sends pictures and videos that were uploaded, and none that stands at an address "
            f"({', '.join(elsewhere)}): upload it in the library, then choose it.",
        )


def narrowed(way: Capabilities, opens: time, closes: time) -> tuple[time, time]:
    """The part of a day's open hours in which the platform takes marketing at all. Raises BadInput if there is none."""
    first, last = way.hours or (opens, closes)
    first, last = max(first, opens), min(last, closes)
    if first >= last:
        raise BadInput(
            f"触达规则的时段和「{way.zh}」允许的时段没有交集，请改触达规则的 channel_hours。",
            f"The policy's hours and those of {way.en} do not meet; change the policy's channel_hours.",
        )
    return first, last
