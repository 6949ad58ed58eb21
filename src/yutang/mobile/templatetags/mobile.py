"""What the phone's templates need beside Django's own."""

from __future__ import annotations

from django import template
from django.templatetags.static import static

from yutang.files.contracts import digest_in
from yutang.mobile.signing import version

register = template.Library()


@register.simple_tag
def asset(name: str) -> str:
    """The address of a file that every page loads; another one as soon as it changes."""
    return f"{static(f'mobile/{name}')}?v={version()}"


@register.filter
def kept(address: str) -> str:
    """The digest of the kept file that an address names."""
    return digest_in(address)


@register.filter
def figure(value: float | None) -> str:
    """A rate to one decimal; a dash where it cannot be told."""
    return "–" if value is None else f"{value:z,.1f}".replace("-", "−")


@register.filter
def signed(value: int) -> str:
    """A number that says its sign."""
    return f"{value:+,}".replace("-", "−") if value else "0"
