from django.apps import AppConfig


class DocumentsConfig(AppConfig):
    name = "yutang.documents"
    label = "documents"
