from django.apps import AppConfig


class ChannelsConfig(AppConfig):
    name = "yutang.channels"
    label = "channels"

    def ready(self) -> None:
        """What is tagged here is noted in the transaction in which its event arrives, for the platform to follow."""
        from yutang.channels.sync.tags import notice, waited_for
        from yutang.log.arrivals import listen

        listen(notice, waited_for)
