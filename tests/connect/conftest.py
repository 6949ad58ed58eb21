"""The same shore as the reflex lane's."""

from tests.reflex.conftest import shore

__all__ = ["shore"]
