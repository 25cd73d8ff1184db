"""The kinds of columns that a read table may have, and the one form that their values take on both backends.

A value travels as a wire value: text, a 64-bit integer, a finite double, a boolean or None. It is made when a projector
says what changes, so that a value that one of the databases would refuse is known before any transaction, by event. A
time is its RFC 3339 text, JSON is its text, a decimal is its digits: rows compare equal between SQLite and PostgreSQL.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from pydantic import JsonValue
from pydantic_core import PydanticSerializationError, to_json

from capture import to_text

WireValue = str | int | float | bool | None
"""What is bound to a statement, compared and printed: plain values that JSON has too."""

LARGEST = 2**63 - 1
"""The largest integer of a column; the smallest is `-LARGEST - 1`."""

MAX_DIGITS = 1_000
"""The most digits of a decimal, before and after the point together."""


def text(value: object) -> WireValue:
    """A text without NUL and lone surrogates, which PostgreSQL refuses. A UUID is taken as its text.

    Raises:
        TypeError: Neither a text nor a UUID.
        ValueError: A text that a database would refuse.
    """
    if type(value) is str and value.isascii() and "\0" not in value:
        return value
    if isinstance(value, UUID):
        return str(value)
    if not isinstance(value, str):
        raise TypeError(f"a text was expected, found {type(value).__name__}")
    if "\0" in value:
        raise ValueError("the text has a NUL character (U+0000), which PostgreSQL can't store")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise ValueError("the text has a lone surrogate, which is no Unicode character") from None
    return value if type(value) is str else str.__str__(value)


def integer(value: object) -> WireValue:
    """An integer of 64 bits.

    Raises:
        TypeError: No integer; a boolean is none.
        ValueError: Beyond 64 bits.
    """
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"an integer was expected, found {type(value).__name__}")
    if not -LARGEST - 1 <= value <= LARGEST:
        raise ValueError(f"an integer of 64 bits was expected, found one of {value.bit_length()}")
    return int(value)


def real(value: object) -> WireValue:
    """A finite number in double precision.

    Raises:
        TypeError: No number.
        ValueError: NaN or an infinity, which SQLite would store as NULL or JSON can't write.
    """
    if type(value) is not float and (not isinstance(value, int | float) or isinstance(value, bool)):
        raise TypeError(f"a number was expected, found {type(value).__name__}")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise ValueError("a finite number was expected, found NaN or an infinity")
    return number + 0.0  # -0.0 becomes 0.0, which is all that SQLite keeps of it


def boolean(value: object) -> WireValue:
    """True or false.

    Raises:
        TypeError: No boolean.
    """
    if not isinstance(value, bool):
        raise TypeError(f"True or False was expected, found {type(value).__name__}")
    return value


def json_text(value: object) -> WireValue:
    """A JSON value as text: UTF-8, no blanks, keys as given. Pydantic models, tuples, times and decimals are taken too.

    Raises:
        TypeError: Something that JSON does not have.
        ValueError: NaN, an infinity, NUL or a lone surrogate.
    """
    try:
        written = to_json(value, inf_nan_mode="constants").decode()
    except PydanticSerializationError as error:
        raise TypeError(f"a JSON value was expected ({error})") from None
    if "NaN" in written or "Infinity" in written:
        json.loads(written, parse_constant=_refuse_constant)
    if "\\u0000" in written:
        _refuse_nul(json.loads(written))
    return written


_known: tuple[datetime | None, str] = (None, "")


def remember(time: datetime, stored: str) -> None:
    """Remember the stored form of the time that was read last: most handlers hand on the time of the event at hand.

    Writing a time takes six times as long as reading it. Threads that race here replace a whole pair by another.
    """
    global _known  # noqa: PLW0603 - a cache of one entry, found by identity
    _known = (time, stored)


def timestamp(value: object) -> WireValue:
    """An aware time as `YYYY-MM-DDTHH:MM:SS.ffffffZ`, which sorts as time does.

    Raises:
        TypeError: No time.
        ValueError: A time without a zone.
    """
    time, known = _known
    if value is time:
        return known
    if not isinstance(value, datetime):
        raise TypeError(f"a time was expected, found {type(value).__name__}")
    return to_text(value)


def digits(value: object) -> WireValue:
    """A decimal number as its digits, `-12.50`: the places after the point are kept as they were given.

    Raises:
        TypeError: Neither a Decimal nor an integer. A float is refused, since 0.1 is none of its values.
        ValueError: No number, or one of more than 1,000 digits.
    """
    if isinstance(value, bool) or not isinstance(value, Decimal | int):
        raise TypeError(f"a Decimal or an integer was expected, found {type(value).__name__}")
    number = Decimal(value)
    if not number.is_finite():
        raise ValueError("a finite decimal was expected, found NaN or an infinity")
    if abs(number.adjusted()) + len(number.as_tuple().digits) > MAX_DIGITS:
        raise ValueError(f"the decimal has more than {MAX_DIGITS:,} digits")
    return format(number, "f")


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON number")


def _refuse_nul(value: JsonValue) -> None:
    if isinstance(value, str):
        text(value)
    elif isinstance(value, dict):
        for name, item in value.items():
            text(name)
            _refuse_nul(item)
    elif isinstance(value, list):
        for item in value:
            _refuse_nul(item)


TO_WIRE: dict[str, Callable[[object], WireValue]] = {
    "text": text,
    "integer": integer,
    "real": real,
    "boolean": boolean,
    "json": json_text,
    "timestamp": timestamp,
    "exact": digits,
}
"""How a value of each kind becomes a wire value."""


class Column:
    """A column of a read table; one of the kinds below.

    Args:
        name: `[a-z][a-z0-9_]*`.

    Attributes:
        kind: A key of `TO_WIRE`.
        is_key: True when the column belongs to the primary key.
    """

    kind: str
    is_key: bool = False

    def __init__(self, name: str) -> None:
        self.name = name


class Text(Column):
    """A text. Takes a UUID too."""

    kind = "text"


class Integer(Column):
    """An integer of 64 bits; the one kind beside `Exact` that `.add` takes."""

    kind = "integer"


class Real(Column):
    """A finite number in double precision. It can't be added to: sums of floats depend on the batching."""

    kind = "real"


class Boolean(Column):
    """True or false."""

    kind = "boolean"


class Json(Column):
    """A JSON value, stored as its text. `.append` adds to the end of one that is a list."""

    kind = "json"


class Timestamp(Column):
    """An aware time: TIMESTAMPTZ on PostgreSQL, fixed-width text in UTC on SQLite."""

    kind = "timestamp"


class Exact(Column):
    """A decimal number without rounding, for money: NUMERIC on PostgreSQL, its digits as text on SQLite."""

    kind = "exact"


class Key(Column):
    """A column of the primary key, which is never NULL.

    Args:
        name: `[a-z][a-z0-9_]*`.
        of: The kind of its values.
    """

    is_key = True

    def __init__(self, name: str, of: type[Column] = Text) -> None:
        super().__init__(name)
        self.kind = of.kind
