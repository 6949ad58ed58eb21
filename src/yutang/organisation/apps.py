from django.apps import AppConfig


class OrganisationConfig(AppConfig):
    name = "yutang.organisation"
    label = "organisation"
