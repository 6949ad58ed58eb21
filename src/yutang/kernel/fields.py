"""Django columns that hold personal data encrypted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import models

from yutang.kernel.encryption import keyring

if TYPE_CHECKING:
    TextInBytes = models.BinaryField[str | None, str | None]
else:
    TextInBytes = models.BinaryField  # Django's own class takes no parameters at run time


class EncryptedTextField(TextInBytes):
    """Text that is sealed in the database and plain in Python. Not searchable; keep a look-up hash beside it.

    The seal's context is `table.column`, so a value copied into another column does not open.
    """

    def _context(self) -> str:
        return f"{self.model._meta.db_table}.{self.column}"

    def get_prep_value(self, value: str | None) -> Any:
        return None if value is None else keyring().encrypt(value, self._context())

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        sealed = value if prepared else self.get_prep_value(value)
        return None if sealed is None else connection.Database.Binary(sealed)

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> str | None:
        return None if value is None else keyring().decrypt(bytes(value), self._context())

    def to_python(self, value: Any) -> Any:
        return value

    def value_to_string(self, obj: models.Model) -> str:
        return str(self.value_from_object(obj) or "")
