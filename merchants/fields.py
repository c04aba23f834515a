"""Database columns that the standard ones cannot hold exactly."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.db import models

MAX_UNITS = 2**256 - 1
DIGITS = len(str(MAX_UNITS))  # 78


class UnitsField(models.Field):
    """A count of an asset's smallest units: an int from 0 to 2^256−1, exact on both databases.

    PostgreSQL keeps numeric(78,0). SQLite has no such number (its DecimalField goes through a float), so
    there it is text, zero-padded to 78 digits: it sorts and compares as the number does. Arithmetic is
    done in Python; no F() expression on this column.
    """

    description = "A whole number up to 2^256−1"

    def db_type(self, connection: Any) -> str:
        return f"numeric({DIGITS},0)" if connection.vendor == "postgresql" else f"varchar({DIGITS})"

    def to_python(self, value: Any) -> int | None:
        if value is None or isinstance(value, int):
            return value
        try:
            return int(value)
        except (TypeError, ValueError) as error:
            raise ValidationError(f"{value!r} is not a whole number.") from error

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> int | None:
        return None if value is None else int(value)

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MAX_UNITS:
            raise ValueError(f"{value!r} is not a whole number from 0 to 2^256-1.")
        return value if connection.vendor == "postgresql" else str(value).zfill(DIGITS)
