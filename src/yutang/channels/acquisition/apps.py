from django.apps import AppConfig


class AcquisitionConfig(AppConfig):
    name = "yutang.channels.acquisition"
    label = "acquisition"
