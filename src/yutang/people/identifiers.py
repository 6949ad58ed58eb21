"""Identifiers in the one form in which equal means equal, and as they may be shown."""

from __future__ import annotations

import re
from functools import lru_cache

import phonenumbers

from yutang.log.contracts import STRONG_KINDS, IdentifierValue

_CHINESE_MOBILE = re.compile(r"1[3-9]\d{9}")


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
        return f"{value[:-8]}****{value[-4:]}" if len(value) > 8 else "****"
    if kind == "email":
        name, _, domain = value.partition("@")
        return f"{name[:1]}***@{domain}"
    return value


@lru_cache(maxsize=65_536)
def _phone(text: str, country: str) -> str:
    if country == "CN" and _CHINESE_MOBILE.fullmatch(text):
        return f"+86{text}"
    try:
        number = phonenumbers.parse(text, country)
    except phonenumbers.NumberParseException:
        return text
    if not phonenumbers.is_possible_number(number):
        return text
    return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))
