"""Django's settings. Everything an installation may choose comes from the environment or from its data directory."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from csp.constants import NONCE, SELF

from yutang.kernel.announcing import told
from yutang.kernel.database import settings_of

PACKAGE = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("YUTANG_DATA", "data")).resolve()

SECRET_KEY = secrets.token_hex(32)  # replaced by the installation's own when the house is opened
DEBUG = False
ALLOWED_HOSTS = os.environ.get("YUTANG_HOSTS", "localhost,127.0.0.1,[::1],testserver").split(",")
CSRF_TRUSTED_ORIGINS = [origin for origin in os.environ.get("YUTANG_ORIGINS", "").split(",") if origin]

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "treebeard",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.usersessions",
    "django_htmx",
    "heroicons",
    "yutang.organisation",
    "yutang.files",
    "yutang.documents",
    "yutang.log",
    "yutang.people",
    "yutang.intake",
    "yutang.channels",
    "yutang.channels.manual",
    "yutang.channels.kf",
    "yutang.channels.acquisition",
    "yutang.content",
    "yutang.reach",
    "yutang.connect",
    "yutang.reflex",
    "yutang.tasks",
    "yutang.execution",
    "yutang.guard",
    "yutang.guard.radar",
    "yutang.console",
    "yutang.public",
    "yutang.mobile",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "yutang.console.language.ChosenLanguage",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]

ROOT_URLCONF = "yutang.app.urls"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "django.template.context_processors.i18n",
                "csp.context_processors.nonce",
            ]
        },
    }
]

DATABASES = {"default": settings_of(os.environ.get("YUTANG_DATABASE", ""), DATA)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_USER_MODEL = "organisation.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}}
]
ACCOUNT_LOGIN_METHODS = {"username"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "password1*"]
ACCOUNT_ADAPTER = "yutang.console.login.ClosedDoor"
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_LOGOUT_ON_GET = False
ACCOUNT_RATE_LIMITS = {"login": "60/m/ip", "login_failed": "10/m/ip,5/5m/key"}
ALLAUTH_TRUSTED_PROXY_COUNT = int(os.environ.get("YUTANG_PROXIES", "0"))  # else limits would count the proxy
MFA_ADAPTER = "yutang.console.login.SecondFactors"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_RECOVERY_CODES_SHOW_ONCE = True
MFA_TOTP_TOLERANCE = 1  # a phone's clock may be half a minute off
MFA_FORMS = {"authenticate": "yutang.console.login.Code", "reauthenticate": "yutang.console.login.CodeOnceMore"}
# What counts the tries of a log-in must not be crowded out by tries under other names (300 would do).
CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "OPTIONS": {"MAX_ENTRIES": 200_000}}}
SESSION_SERIALIZER = "yutang.console.login.SealedSession"
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "today"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = os.environ.get("YUTANG_HTTPS") == "1"

LANGUAGE_CODE = "zh-hans"
LANGUAGES = [("zh-hans", "中文"), ("en", "English")]
LOCALE_PATHS = [PACKAGE / "console" / "locale"]
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"

# Where customers reach this house: it stands in messages to them. Where nobody said so, the process that answers tells.
ADDRESS_SAID = os.environ.get("YUTANG_ADDRESS") or next(iter(CSRF_TRUSTED_ORIGINS), "")
PUBLIC_ADDRESS = ADDRESS_SAID or told(DATA) or "http://127.0.0.1:8000"

STATIC_URL = "static/"
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = False

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "script-src": [SELF, NONCE],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "frame-ancestors": ["'none'"],
        "form-action": [SELF],
        "base-uri": [SELF],
        "object-src": ["'none'"],
    }
}
X_FRAME_OPTIONS = "DENY"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
DATA_UPLOAD_MAX_MEMORY_SIZE = 8_000_000
# Lists of customers are never laid down in a temporary file in clear; a larger file is not taken at all.
FILE_UPLOAD_HANDLERS = ["django.core.files.uploadhandler.MemoryFileUploadHandler"]
FILE_UPLOAD_MAX_MEMORY_SIZE = 20_000_000
LOGGING_CONFIG = None
