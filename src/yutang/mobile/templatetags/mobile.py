"""What the phone's templates need beside Django's own."""

from __future__ import annotations

from django import template
from django.templatetags.static import static

from yutang.mobile.signing import version

register = template.Library()


@register.simple_tag
def asset(name: str) -> str:
    """The address of a file that every page loads; another one as soon as it changes."""
    return f"{static(f'mobile/{name}')}?v={version()}"
