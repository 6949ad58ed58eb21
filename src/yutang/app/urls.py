"""Every address of the house. What a page needs from rooms above it is handed in here."""

from allauth.account.views import LoginView, LogoutView
from django.urls import URLPattern, URLResolver, include, path
from django.views.decorators.http import require_POST
from django.views.generic import RedirectView
from django.views.i18n import set_language

from yutang.api.direct import direct
from yutang.api.hooks import hook
from yutang.api.routes import api
from yutang.api.wecom import callback
from yutang.app.corps import desk, here
from yutang.app.house import data_directory
from yutang.console.health import healthz, readyz
from yutang.console.urls import pages
from yutang.mobile.urls import pages as phone_pages
from yutang.operations.doctor import Finding, examine
from yutang.public.preferences import urls as public_pages
from yutang.warehouse.contracts import Warehouse


def _doctor(warehouse: Warehouse) -> list[Finding]:
    return examine(warehouse, data_directory())


# What allauth's views link to and this house does not offer: accounts are made, and helped, by the owner.
CLOSED_DOORS = ("signup", "reset_password", "inactive")
TO_LOGIN = RedirectView.as_view(pattern_name="account_login")

handler429 = "yutang.console.login.too_many"  # allauth looks for it here

urlpatterns: list[URLPattern | URLResolver] = [
    path("", include(pages(_doctor, desk))),
    path("", include(public_pages)),
    path("m/", include(phone_pages(here))),
    path("accounts/login/", LoginView.as_view(template_name="console/login.html"), name="account_login"),
    path("accounts/logout/", require_POST(LogoutView.as_view()), name="account_logout"),
    *(path(f"accounts/{name}/", TO_LOGIN, name=f"account_{name}") for name in CLOSED_DOORS),
    path("language/", set_language, name="set_language"),
    path("healthz", healthz, name="healthz"),
    path("readyz", readyz, name="readyz"),
    path("api/v1/", api.urls),
    path("hooks/<str:name>", hook, name="hook"),
    path("hooks/<str:name>/<str:place>", hook, name="hook_placed"),
    path("wecom/callback/<str:corp>", callback, name="wecom_callback"),
    path("direct/<str:kind>/<str:corp>/<str:token>", direct, name="direct_callback"),
]
