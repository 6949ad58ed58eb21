"""Every page that the browser opens, in both languages and at both widths. `{…}` is filled from the world."""

from __future__ import annotations

PATHS: tuple[str, ...] = (
    "/",
    "/pool/",
    "/pool/?sort=-customers",
    "/persons/",
    "/persons/?lifecycle=active&reachable=yes&sort=-spend_365d",
    "/persons/?find=nobody-has-this-number",
    "/persons/{person}/",
    "/persons/{prospect}/",
    "/settings/",
)
