from django.apps import AppConfig


class ManualConfig(AppConfig):
    name = "yutang.channels.manual"
    label = "manual"
