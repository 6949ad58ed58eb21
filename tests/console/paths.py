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
    "/growth/",
    "/growth/?month=2026-01&region=north",
    "/settings/",
    "/segments/",
    "/segments/of/customer_pool/?trait=spend_ever&trait=home_store&trait=pool&sort=-spend_ever",
    "/segments/new/",
    "/segments/new/?from=diapers_no_wipes",
    "/plans/",
    "/plans/?state=stopped",
    "/plans/new/",
    "/plans/new/?from=whole_pool",
    "/plans/document/?from=whole_pool",
    "/plans/document/?plan={plan}",
    "/plans/{plan}/",
    "/campaigns/",
    "/campaigns/one/?name=spring",
)
