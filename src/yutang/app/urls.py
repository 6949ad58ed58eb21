"""Every address of the house. What a page needs from rooms above it is handed in here."""

from django.urls import URLPattern, URLResolver, include, path
from django.views.i18n import set_language

from yutang.api.routes import api
from yutang.app.house import data_directory
from yutang.console.health import healthz, readyz
from yutang.console.urls import pages
from yutang.operations.doctor import Finding, examine
from yutang.warehouse.contracts import Warehouse


def _doctor(warehouse: Warehouse) -> list[Finding]:
    return examine(warehouse, data_directory())


urlpatterns: list[URLPattern | URLResolver] = [
    path("", include(pages(_doctor))),
    path("accounts/", include("allauth.urls")),
    path("language/", set_language, name="set_language"),
    path("healthz", healthz, name="healthz"),
    path("readyz", readyz, name="readyz"),
    path("api/v1/", api.urls),
]
