from django.apps import AppConfig


class ChannelsConfig(AppConfig):
    name = "yutang.channels"
    label = "channels"
