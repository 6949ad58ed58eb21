from django.apps import AppConfig


class FilesConfig(AppConfig):
    name = "yutang.files"
    label = "files"
