"""Values of the predecessor's table, from their text, exactly or not at all."""

from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation


def day(name: str, text: str) -> date:
    """Return a date; a time of midnight counts as one.

    Raises:
        ValueError: It is none.
    """
    try:
        return date.fromisoformat(text.removesuffix(" 00:00:00"))
    except ValueError:
        raise _refused(name, text, "a date") from None


def decimal(name: str, text: str, *, digits: int, places: int) -> Decimal:
    """Return a number of at most so many digits, so many of them behind the point.

    Raises:
        ValueError: It is none, or would have to be rounded.
    """
    try:
        number = Decimal(text)
        if abs(number) < 10 ** (digits - places) and number == round(number, places):
            return number
    except (InvalidOperation, ValueError):
        pass
    raise _refused(name, text, f"a DECIMAL({digits}, {places})")


def integer(name: str, text: str) -> int:
    """Return a whole number of 32 bits.

    Raises:
        ValueError: It is none.
    """
    number = decimal(name, text, digits=10, places=0)
    if not -(2**31) <= number < 2**31:
        raise _refused(name, text, "an INTEGER")
    return int(number)


def boolean(name: str, text: str) -> bool:
    """Return whether it is true.

    Raises:
        ValueError: It is neither true nor false.
    """
    if text not in ("true", "false", "1", "0"):
        raise _refused(name, text, "a BOOLEAN")
    return text in ("true", "1")


def moment(name: str, text: str) -> datetime:
    """Return a time as it stands, or in UTC where it says its zone.

    Raises:
        ValueError: It is none.
    """
    try:
        stamp = datetime.fromisoformat(text)
    except ValueError:
        raise _refused(name, text, "a TIMESTAMP") from None
    return stamp.astimezone(UTC).replace(tzinfo=None) if stamp.tzinfo else stamp


def _refused(name: str, text: str, wanted: str) -> ValueError:
    return ValueError(f"{name} is {text!r:.60}, not {wanted}")
