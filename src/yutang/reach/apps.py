from django.apps import AppConfig


class ReachConfig(AppConfig):
    name = "yutang.reach"
    label = "reach"
