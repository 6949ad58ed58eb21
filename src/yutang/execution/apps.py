from django.apps import AppConfig


class ExecutionConfig(AppConfig):
    name = "yutang.execution"
    label = "execution"
