"""Identifiers in the one form in which equal means equal, and as they may be shown."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

import phonenumbers

from yutang.log.contracts import STRONG_KINDS, IdentifierValue

_CHINESE_MOBILE = re.compile(r"1[3-9][0-9]{9}")
_UNSEEN = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060\ufeff]")  # what a copied number brings along
_FROM_A_SHEET = re.compile(r"^([0-9]{6,15})\.0$")
_EXTENSION = re.compile(r"\s*(?:转|轉|分机|分機)\s*([0-9]{1,6})$")
_SWITCHBOARD = re.compile(r"^(\(?0[0-9]{2,3}\)?[-\s]?[0-9]{7,8})-([0-9]{1,6})$")  # 010-88886666-8012
_INTERNATIONAL = re.compile(
    r"^(?:00|(?=86[\s-]?1[3-9]))"
)  # as dialled or written in China, whatever the brand's country


def normalised(given: IdentifierValue, country: str) -> IdentifierValue:
    """The identifier as it is kept: phones in E.164 (of `country` where none is said), e-mails in lower case."""
    value = given.value.strip()
    if given.kind == "phone":
        return IdentifierValue("phone", "", _phone(value, country))
    if given.kind == "email":
        return IdentifierValue("email", "", value.lower())
    return given if value == given.value else IdentifierValue(given.kind, given.namespace, value)


def is_strong(identifier: IdentifierValue) -> bool:
    """Whether a normalised identifier joins persons. What is no possible phone number (placeholders) does not."""
    return identifier.kind in STRONG_KINDS and (identifier.kind != "phone" or identifier.value.startswith("+"))


def masked(kind: str, value: str) -> str:
    """A phone or e-mail with its middle hidden; other identifiers as they are."""
    if kind == "phone":
        number, extension, _ = value.partition(";ext=")
        return f"{number[:-8]}****{number[-4:]}{extension and ';ext=…'}" if len(number) > 8 else "****"
    if kind == "email":
        name, _, domain = value.partition("@")
        return f"{name[:1]}***@{domain}"
    return value


@lru_cache(maxsize=65_536)
def _phone(text: str, country: str) -> str:
    """A number in E.164, with `;ext=` where one is said; the text as it stands where it is no number that can exist."""
    plain = _UNSEEN.sub("", unicodedata.normalize("NFKC", text)).strip()
    if country == "CN" and _CHINESE_MOBILE.fullmatch(plain):
        return f"+86{plain}"
    plain = _FROM_A_SHEET.sub(r"\1", plain)
    plain = _EXTENSION.sub(r" ext. \1", _SWITCHBOARD.sub(r"\1 ext. \2", plain))
    for written in (plain, _INTERNATIONAL.sub("+", plain)):
        try:
            number = phonenumbers.parse(written, country)
        except phonenumbers.NumberParseException:
            continue
        if _exists(number):
            found = str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))
            return f"{found};ext={number.extension}" if number.extension else found
    return text


def _exists(number: phonenumbers.PhoneNumber) -> bool:
    """Whether such a number can be somebody's. Chinese mobiles of every prefix: lists lag behind."""
    mobile = number.country_code == 86 and _CHINESE_MOBILE.fullmatch(str(number.national_number))
    return bool(mobile) or phonenumbers.is_valid_number(number)
