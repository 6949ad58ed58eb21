from django.apps import AppConfig


class IntakeConfig(AppConfig):
    name = "yutang.intake"
    label = "intake"
