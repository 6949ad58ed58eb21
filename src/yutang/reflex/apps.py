from django.apps import AppConfig


class ReflexConfig(AppConfig):
    name = "yutang.reflex"
    label = "reflex"

    def ready(self) -> None:
        """What a rule waits for is noted in the transaction in which its event arrives."""
        from yutang.log.arrivals import listen
        from yutang.reflex.services import notice, waited_for

        listen(notice, waited_for)
