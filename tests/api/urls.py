"""The API alone, as the house mounts it."""

from django.urls import path

from yutang.api.routes import api

urlpatterns = [path("api/v1/", api.urls)]
