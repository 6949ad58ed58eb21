"""The fields of every kind, and how the names of columns compare. `synonyms.yaml` says what files call them."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml


@dataclass(frozen=True, slots=True)
class Field:
    """A field: its titles, and how its words are read."""

    name: str
    zh: str
    en: str
    is_time: bool = False
    is_money: bool = False
    personal: bool = False


def _fields(*fields: Field) -> dict[str, Field]:
    return {field.name: field for field in fields}


FIELDS = _fields(
    Field("member", "会员号", "member number", personal=True),
    Field("phone", "手机号", "phone", personal=True),
    Field("email", "邮箱", "e-mail", personal=True),
    Field("unionid", "unionid", "unionid", personal=True),
    Field("external_userid", "外部联系人", "external_userid", personal=True),
    Field("openid", "openid", "openid", personal=True),
    Field("device", "设备号", "device", personal=True),
    Field("address", "地址", "address", personal=True),
    Field("name", "姓名", "name", personal=True),
    Field("order_id", "订单号", "order number"),
    Field("placed_at", "下单时间", "order time", is_time=True),
    Field("sku", "商品", "product"),
    Field("quantity", "数量", "quantity"),
    Field("amount", "金额", "amount", is_money=True),
    Field("discount", "优惠金额", "discount", is_money=True),
    Field("unit_cost", "单件成本", "unit cost", is_money=True),
    Field("store", "门店", "store"),
    Field("category", "品类", "category"),
    Field("home_store", "归属门店", "home store"),
    Field("tags", "标签", "tags"),
    Field("zone", "时区", "time zone"),
    Field("gender", "性别", "gender", personal=True),
    Field("birthday", "生日", "birthday", personal=True),
    Field("seen_at", "名单日期", "as of", is_time=True),
    Field("staff", "员工账号", "staff account"),
    Field("added_at", "添加时间", "added at", is_time=True),
    Field("lost_at", "流失时间", "lost at", is_time=True),
    Field("group", "群ID", "group"),
    Field("group_name", "群名称", "group name", personal=True),
    Field("joined_at", "入群时间", "joined at", is_time=True),
    Field("left_at", "退群时间", "left at", is_time=True),
    Field("coupon", "券", "coupon"),
    Field("campaign", "活动", "campaign"),
    Field("issued_at", "发券时间", "issued at", is_time=True),
    Field("redeemed_at", "核销时间", "redeemed at", is_time=True),
    Field("purpose", "用途", "purpose"),
    Field("channel", "渠道", "channel"),
    Field("granted", "是否同意", "granted"),
    Field("at", "表态时间", "said at", is_time=True),
    Field("proof", "凭证", "proof", personal=True),
    Field("partner", "合作伙伴", "partner"),
    Field("basis", "授权依据", "consent basis"),
    Field("inviter", "邀请人", "inviter", personal=True),
    Field("invited_at", "邀请时间", "invited at", is_time=True),
    Field("by", "邀请方式", "invited by what"),
    Field("type", "事件类型", "event type"),
    Field("occurred_at", "发生时间", "occurred at", is_time=True),
    Field("event_id", "事件编号", "event id"),
    Field("currency", "币种", "currency"),
    Field("store_name", "门店名称", "store name"),
    Field("region", "区域", "region"),
    Field("latitude", "纬度", "latitude"),
    Field("longitude", "经度", "longitude"),
    Field("daily_quota", "每日上限", "daily limit"),
    Field("active", "在职", "active"),
)


def field(name: str) -> Field:
    """The field of that name; one that only the vocabulary knows (a prop) is called as it is."""
    return FIELDS.get(name) or Field(name, name, name)


LONGEST_NAME = 300
"""Of a column's name no more is looked at: a megabyte of brackets would take hours."""
_SIGNS = re.compile(r"[\W_]+")
_REMARK = re.compile(r"[(（\[【].*?[)）\]】]")


def folded(column: str) -> str:
    """A column's name without case, spaces, signs, width, and remarks in brackets: `实付金额（元）` is `实付金额`."""
    plain = unicodedata.normalize("NFKC", column[:LONGEST_NAME])
    return _SIGNS.sub("", _REMARK.sub("", plain) or plain).lower()


@cache
def synonyms() -> dict[str, list[str]]:
    """What files call each field besides its titles, the most telling name first."""
    table = Path(__file__).with_name("synonyms.yaml")
    return {name: [str(one) for one in names] for name, names in yaml.safe_load(table.read_text("utf-8")).items()}


@cache
def names_of(name: str) -> tuple[str, ...]:
    """Every folded name by which files call a field, the most telling first."""
    one = field(name)
    return tuple(dict.fromkeys(folded(also) for also in (name, one.zh, one.en, *synonyms().get(name, ()))))
