"""Imported first by every bench: Django's settings, without a server or a database."""

from __future__ import annotations

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "yutang.app.settings")
django.setup()
