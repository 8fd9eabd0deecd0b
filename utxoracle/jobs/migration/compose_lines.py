"""The few lines of a compose file that matter here, without a parser of YAML."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from utxoracle.jobs.migration.old_settings import (
    NotUnderstood,
    Port,
    Role,
    Setting,
    expanded,
    lines_of,
    names_in,
    unquoted,
)

_KEY = re.compile(r"""(?:"([^"]+)"|'([^']+)'|([^\s"'#:{}\[\]][^\s"':]*))\s*:(?:\s+(.*))?""")
_ITEM = re.compile(r"-\s+(.*)")
# YAML writes a quote within quotes twice.
_SINGLE_QUOTED = re.compile(r"'((?:[^']|'')*)'\s*(?:#.*)?")
_BLOCK = re.compile(r"[|>][-+0-9]*")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PORT = re.compile(r"(?:(.*):)?([0-9]+):[0-9]+(?:/tcp)?")
_READ = ("environment", "ports", "<<", "extends")
_LOCAL = ("127.0.0.1", "[::1]", "localhost")

_ROLES_BY_SERVICE = {
    "api": Role.BACKEND,
    "backend": Role.BACKEND,
    "web": Role.FRONTEND,
    "frontend": Role.FRONTEND,
    "db": Role.DATABASE,
    "mysql": Role.DATABASE,
    "mariadb": Role.DATABASE,
    "electrs": Role.ELECTRS,
}
_ROLES_BY_IMAGE = (
    *((role.value, role) for role in Role),
    ("mysql", Role.DATABASE),
)


@dataclass
class ComposeFile:
    """What is read of a compose file.

    Attributes:
        settings: The environment of all services.
        ports: The ports that they had on the machine.
        remarks: What isn't understood, one line each.
        used: Names of the .env file that values of these were put together from.
    """

    settings: list[Setting] = field(default_factory=list)
    ports: list[Port] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    used: set[str] = field(default_factory=set)


def read_compose(path: Path, known: Mapping[str, str]) -> ComposeFile:
    """Read environment and ports of the services in a compose file.

    Args:
        path: The file.
        known: The values of the .env file beside it, by name.

    Raises:
        StorageError: It can't be read.
    """
    reading = _Reading(f"{path.parent.name}/{path.name}", known)
    for place, line in lines_of(path, reading.remarks):
        reading.take(place, len(line) - len(line.lstrip()), line.strip())
    return reading.done()


class _Reading:
    """A file that is read from top to bottom; `remarks` is what wasn't understood so far."""

    def __init__(self, file: str, known: Mapping[str, str]) -> None:
        self.remarks: list[str] = []
        self._file = file
        self._known = known
        # Indentation and name of the keys that a line is below.
        self._keys: list[tuple[int, str]] = []
        self._settings: list[tuple[str, Setting]] = []
        self._ports: list[tuple[str, Port]] = []
        self._images: dict[str, str] = {}
        self._with_flags: list[str] = []
        self._used: set[str] = set()

    def take(self, place: str, indentation: int, body: str) -> None:
        """Read one line."""
        item = _ITEM.fullmatch(body)
        # A list may stand as far left as the key that it belongs to.
        depth = indentation + 1 if item else indentation
        while self._keys and self._keys[-1][0] >= depth:
            self._keys.pop()
        key = _KEY.fullmatch(body)
        match [name for _, name in self._keys]:
            case ["services", service, "environment"]:
                self._variable(place, indentation, service, item, key)
            case ["services", service, "ports"]:
                self._port(place, service, item)
            case ["services", service, "env_file"]:
                self._other_file(place, service)
            case ["services", service] if key:
                self._part(place, service, _name(key), key[4] or "")
                self._keys.append((indentation, _name(key)))
            case ["services"] | [] if key:
                self._keys.append((indentation, _name(key)))

    def done(self) -> ComposeFile:
        """Return what was found, now that the image of each service is known."""
        self.remarks += [
            f"{self._file}: the flags of {service} (its command) are not read: the module has "
            "its own; see whether a password stands among them"
            for service in self._with_flags
            if self._role(service) == Role.ELECTRS
        ]
        return ComposeFile(
            [replace(one, role=self._role(service)) for service, one in self._settings],
            [replace(one, role=self._role(service)) for service, one in self._ports],
            self.remarks,
            self._used,
        )

    def _role(self, service: str) -> Role | None:
        image = self._images.get(service, "")
        by_image = (role for part, role in _ROLES_BY_IMAGE if part in image)
        by_service = (role for part, role in _ROLES_BY_SERVICE.items() if part in service)
        return next(by_image, None) or next(by_service, None)

    def _part(self, place: str, service: str, name: str, written: str) -> None:
        """Read a line of a service itself."""
        if name == "image":
            self._images[service] = written
        elif name == "command":
            self._with_flags.append(service)
        elif name == "env_file" and written:
            self._other_file(place, service)
        elif name in _READ and written and not written.startswith(("#", "&")):
            self.remarks.append(
                f"{place} is not understood: {name} of {service} isn't written line by line"
            )

    def _variable(
        self,
        place: str,
        indentation: int,
        service: str,
        item: re.Match[str] | None,
        key: re.Match[str] | None,
    ) -> None:
        name = ""
        try:
            if item:
                name, equals, text = _scalar(item[1]).partition("=")
                value = text if equals else None
            elif key:
                name, value = _name(key), _scalar(key[4]) if _is_given(key[4]) else None
            if not _VARIABLE.fullmatch(name):
                raise NotUnderstood("it isn't a name with a value")
            self._settings.append((service, Setting(name, self._value(name, value), place)))
        except NotUnderstood as error:
            what = name if _VARIABLE.fullmatch(name) or name == "<<" else "what stands there"
            self.remarks.append(f"{place}: {what}, of {service}, is not understood: {error}")
            # The lines of a text that may follow are not names.
            self._keys.append((indentation, name))

    def _value(self, name: str, value: str | None) -> str:
        if value is not None:
            return self._expanded(value)
        if name in self._known:
            return self._known[name]
        raise NotUnderstood("it has no value here, and none in a file beside it")

    def _expanded(self, value: str) -> str:
        self._used |= names_in(value)
        return expanded(value, self._known)

    def _port(self, place: str, service: str, item: re.Match[str] | None) -> None:
        try:
            text = self._expanded(_scalar(item[1])) if item else ""
            if not (match := _PORT.fullmatch(text)):
                raise NotUnderstood("it isn't PORT:PORT")
        except NotUnderstood as error:
            self.remarks.append(f"{place}: a port of {service} is not understood: {error}")
        else:
            self._ports.append((service, Port(None, int(match[2]), match[1] in _LOCAL, place)))

    def _other_file(self, place: str, service: str) -> None:
        self.remarks.append(
            f"{place}: {service} takes settings from another file (env_file), which is only read "
            "if it is the .env beside this one"
        )


def _name(key: re.Match[str]) -> str:
    return key[1] or key[2] or key[3]


def _is_given(written: str | None) -> bool:
    return bool(written) and not str(written).startswith("#")


def _scalar(written: str) -> str:
    """Return the text that a value stands for.

    Raises:
        NotUnderstood: It is more than a text in one line.
    """
    if _BLOCK.fullmatch(written):
        raise NotUnderstood("it goes over several lines")
    if written.startswith(("&", "*", "!", "{", "[")):
        raise NotUnderstood("it is put together in a way that is not known here")
    if match := _SINGLE_QUOTED.fullmatch(written):
        return match[1].replace("''", "'")
    return unquoted(written)
