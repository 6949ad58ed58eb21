from django.apps import AppConfig


class ContentConfig(AppConfig):
    name = "yutang.content"
    label = "content"
