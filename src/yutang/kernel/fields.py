"""Django columns that hold personal data encrypted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from django.db import models

from yutang.kernel.encryption import keyring

if TYPE_CHECKING:
    TextInBytes = models.BinaryField[str | None, str | None]
    Bytes = models.BinaryField[bytes, bytes]
else:
    TextInBytes = Bytes = models.BinaryField  # Django's own class takes no parameters at run time


class EncryptedTextField(TextInBytes):
    """Text that is sealed in the database and plain in Python. Not searchable; keep a look-up hash beside it.

    The seal's context is `table.column`, so a value copied into another column does not open. `lookup` names the column
    beside it that holds the look-up hash of the columns `by` and of this value: rotation makes both anew together.
    """

    def __init__(self, *args: Any, lookup: str = "", by: Sequence[str] = (), **kwargs: Any) -> None:
        self.lookup, self.by = lookup, tuple(by)
        super().__init__(*args, **kwargs)

    @property
    def context(self) -> str:
        """Under what the values are sealed."""
        return f"{self.model._meta.db_table}.{self.column}"

    def get_prep_value(self, value: str | None) -> Any:
        return None if value is None else keyring().encrypt(value, self.context)

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        sealed = value if prepared else self.get_prep_value(value)
        return None if sealed is None else connection.Database.Binary(sealed)

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> str | None:
        return None if value is None else keyring().decrypt(bytes(value), self.context)

    def to_python(self, value: Any) -> Any:
        return value

    def value_to_string(self, obj: models.Model) -> str:
        return str(self.value_from_object(obj) or "")


class SealedField(Bytes):
    """Bytes that whoever writes them has sealed under `context`, and whoever reads them opens. To the database it is a
    plain column of bytes; that it is sealed is said here for rotation, which seals anew what it finds."""

    def __init__(self, *args: Any, context: str = "", **kwargs: Any) -> None:
        self.context = context
        super().__init__(*args, **kwargs)

    def deconstruct(self) -> Any:
        name, _, args, kwargs = super().deconstruct()
        return name, "django.db.models.BinaryField", args, kwargs
