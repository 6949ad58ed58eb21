from django.apps import AppConfig


class TasksConfig(AppConfig):
    name = "yutang.tasks"
    label = "tasks"
