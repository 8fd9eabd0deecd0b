"""What an old .env or compose file says, line by line."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from utxoracle.errors import StorageError


class Role(Enum):
    """What a service of a compose file is."""

    BACKEND = "mempool/backend"
    FRONTEND = "mempool/frontend"
    DATABASE = "mariadb"
    ELECTRS = "electrs"


@dataclass(frozen=True)
class Setting:
    """A name, and the value that it was given.

    Attributes:
        name: Of the environment variable.
        value: What it was set to.
        place: File and line, for messages.
        role: Of the service that it was given to; None for all, or for none that is known.
    """

    name: str
    value: str
    place: str
    role: Role | None = None


@dataclass(frozen=True)
class Port:
    """A port of a service that the machine had.

    Attributes:
        role: Of the service.
        number: The port of the machine.
        is_local: Whether only the machine itself could reach it.
        place: File and line, for messages.
    """

    role: Role | None
    number: int
    is_local: bool
    place: str


class NotUnderstood(Exception):
    """Raised when a value is written in a way that isn't known here; says how."""


_QUOTES = ("'", '"')
_ENV_LINE = re.compile(r"\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*)")
_REFERENCE = re.compile(r"\$(?:\{([A-Za-z_]\w*)(?:(:?-)([^{}]*))?\}|([A-Za-z_]\w*)|(\$))")
_COMMENT = re.compile(r"(?:^|\s)#.*")
_QUOTED = re.compile(r"""(?:'([^']*)'|"((?:[^"\\]|\\.)*)")\s*(?:#.*)?""")
# A dollar is still to be looked at, where two stand for one.
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "$": "$$"}


def lines_of(path: Path, remarks: list[str]) -> Iterator[tuple[str, str]]:
    """Give the lines of a file that are neither empty nor comments, each with its place.

    Raises:
        StorageError: It can't be read.
    """
    try:
        text = path.read_text("utf-8-sig")
    except UnicodeDecodeError:
        text = "\0"
    except OSError as error:
        raise StorageError(
            f"can't read {path}: {error.strerror}; run it as a user who can"
        ) from None
    if "\0" in text:
        remarks.append(f"{path} isn't a text in UTF-8: nothing is taken from it")
        return
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip() and not line.lstrip().startswith("#"):
            # Several of these files have the same name.
            yield f"{path.parent.name}/{path.name} line {number}", line.rstrip()


def read_env(path: Path, remarks: list[str]) -> list[Setting]:
    """Return the settings of a .env file; what isn't understood is added to `remarks`.

    Raises:
        StorageError: It can't be read.
    """
    found: list[Setting] = []
    lines = [*lines_of(path, remarks)]
    while lines:
        place, line = lines.pop(0)
        if not (match := _ENV_LINE.fullmatch(line)):
            remarks.append(f"{place} is not understood: it isn't NAME=value")
            continue
        name, written = match.groups()
        try:
            value = unquoted(written)
            # Nothing is looked up in what stands in single quotes.
            if not written.startswith("'"):
                value = expanded(value, {one.name: one.value for one in found})
        except NotUnderstood as error:
            remarks.append(f"{place}: the value of {name} is not understood: {error}")
            del lines[: _lines_to_closing(written, [line for _, line in lines])]
        else:
            found.append(Setting(name, value, place))
    return found


def _lines_to_closing(written: str, following: list[str]) -> int:
    """Return how many lines belong to a value whose quotes are closed below: it may be secret."""
    quote = written[:1]
    if quote not in _QUOTES or quote in written[1:]:
        return 0
    closing = re.compile(rf"(?:[^{quote}\\]|\\.)*{quote}\s*(?:#.*)?")
    return next((at for at, line in enumerate(following, 1) if closing.fullmatch(line)), 0)


def unquoted(written: str) -> str:
    """Return a value without its quotes, or without the comment behind it.

    Raises:
        NotUnderstood: Its quotes aren't closed in the line.
    """
    if written[:1] not in _QUOTES:
        return _COMMENT.sub("", written).strip()
    match = _QUOTED.fullmatch(written)
    if not match:
        raise NotUnderstood("its quotes are not closed where the line ends")
    if match[1] is not None:
        return match[1]
    return re.sub(r"\\(.)", lambda found: _ESCAPES.get(found[1], found[1]), match[2])


def names_in(value: str) -> set[str]:
    """Return the names that a value refers to."""
    return {match[1] or match[4] for match in _REFERENCE.finditer(value)} - {None}


def expanded(value: str, known: Mapping[str, str]) -> str:
    """Return a value with other names' values put in, as compose does.

    Raises:
        NotUnderstood: A name isn't known and there is no default, or it is written otherwise.
    """

    def found(match: re.Match[str]) -> str:
        braced, dash, default, bare, dollar = match.groups()
        if dollar:
            return "$"
        name = braced or bare
        if name in known and (known[name] or dash != ":-"):
            return known[name]
        if dash:
            return str(default)
        raise NotUnderstood(f"it refers to {name}, which is not set in a file beside it")

    if "${" in _REFERENCE.sub("", value):
        raise NotUnderstood("it is put together in a way that is not known here")
    return _REFERENCE.sub(found, value)
