from django.apps import AppConfig


class MobileConfig(AppConfig):
    name = "yutang.mobile"
    label = "mobile"
