from django.apps import AppConfig


class ServiceConfig(AppConfig):
    name = "yutang.channels.kf"
    label = "kf"
