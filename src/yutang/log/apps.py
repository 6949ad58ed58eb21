from django.apps import AppConfig


class LogConfig(AppConfig):
    name = "yutang.log"
    label = "log"
