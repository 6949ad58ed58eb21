from django.apps import AppConfig


class ConnectConfig(AppConfig):
    name = "yutang.connect"
    label = "connect"

    def ready(self) -> None:
        """Joins are noted in the transaction in which their event arrives."""
        from yutang.connect.services import JOINED, note_joins
        from yutang.log.arrivals import listen

        listen(note_joins, lambda: JOINED)
