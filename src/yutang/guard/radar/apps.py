from django.apps import AppConfig


class RadarConfig(AppConfig):
    name = "yutang.guard.radar"
    label = "radar"
