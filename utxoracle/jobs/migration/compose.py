"""The settings of the old compose file and .env, as options of the NixOS module."""

import re
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from utxoracle.errors import UsageError
from utxoracle.jobs.migration.compose_lines import read_compose
from utxoracle.jobs.migration.env_text import NETWORKS, env_lines
from utxoracle.jobs.migration.kinds import Kind
from utxoracle.jobs.migration.layout import DATA, OWNERS, USER
from utxoracle.jobs.migration.nix_text import Value, definition
from utxoracle.jobs.migration.old_names import (
    BACKEND_PORT,
    DATABASE_PATHS,
    ELECTRS_ENABLE,
    ELECTRS_MODE,
    NODE_COOKIE,
    NODE_HOST,
    NODE_PASSWORD,
    OF_UTXORACLE,
    SOURCE,
    WEB_PORT,
    Nothing,
    Option,
    OptionPath,
    Password,
    ValueType,
    rule_of,
)
from utxoracle.jobs.migration.old_settings import NotUnderstood, Port, Role, Setting, read_env
from utxoracle.jobs.migration.secret_files import FOLDER, Secret
from utxoracle.settings import HIGHEST_PORT, Settings

_CONFIG = Path("/etc/utxoracle")
"""On the root disk: that the other one is gone is one of the alerts."""

COMPOSE_SUFFIXES = (".yml", ".yaml")

_ORDER = ("enable", "network", "storage", "bitcoin", "mempool", "api", "settings")

_BREAKS_SCRIPT = {*'&!"\\\n'}
"""The back end's start script writes values into its configuration with sed, into JSON."""

_SAFE = "letters, digits, - and _"
_SECRET_IN_URL = re.compile(r":.*@|://[^#]*\?", re.DOTALL)
_THE_MACHINE = ("localhost", "host.docker.internal", "host.containers.internal", "172.17.0.1")
_NUMBER = re.compile(r"[0-9]{1,12}(\.[0-9]{1,12})?")
_URL = re.compile(r"(https?://)([^/:]+)(.*?)/?")

_DEFAULTS: dict[OptionPath, Value] = {
    ("network",): "mainnet",
    ELECTRS_MODE: "electrum",
    ("mempool", "settings", "DATABASE_DATABASE"): "mempool",
    ("mempool", "settings", "DATABASE_USERNAME"): "mempool",
    SOURCE: "mempool+http://127.0.0.1:8999",
}
"""What need not be said."""

_PORTS: dict[Role | None, OptionPath] = {
    Role.BACKEND: BACKEND_PORT,
    Role.FRONTEND: WEB_PORT,
}

CHANGES = (
    "the API listened on 0.0.0.0:8000, where everyone reached it: it is on 127.0.0.1:8000 from now "
    "on; set api.address and openFirewall to let others in",
    "the backup was a copy of the live file at 03:00 by the machine's clock: it is one of the "
    "published file at 03:00 UTC from now on, and is read before it counts",
)
"""What is different whatever the old settings were."""


@dataclass(frozen=True)
class Translation:
    """What became of the old settings.

    Attributes:
        nix: Lines to paste into a host's configuration; nothing secret.
        env: The same for utxoracle.env, as far as it is of utxoracle itself.
        remarks: What to know, one line each, nothing secret: names that never had an effect, what
            changes, what isn't understood.
        secrets: What must not stand there, to be written by `write_secrets`.
        commands: What puts those that utxoracle itself reads where its user can.
        databases: Files that the old settings name as the predecessor's databases.
    """

    nix: str
    env: str
    remarks: list[str]
    secrets: list[Secret]
    commands: list[str]
    databases: list[Path]


def translate(
    files: Iterable[Path],
    *,
    base: Path,
    owners: Mapping[Kind, int] | None = None,
    is_mempool_index: bool = False,
) -> Translation:
    """Translate the old settings.

    Values are never quoted in remarks: any of them may be a secret.

    Args:
        files: .env and compose files, told apart by name.
        base: The folder that holds mempool/ and utxoracle/ from now on.
        owners: The users that the data belongs to which is taken over; without it, the module's.
        is_mempool_index: Whether the index that is taken over is of mempool's own electrs.

    Raises:
        StorageError: A file can't be read.
    """
    work = _Translating(base)
    paths = [*dict.fromkeys(files)]
    known: dict[Path, dict[str, str]] = {}
    for path in paths:
        if path.suffix not in COMPOSE_SUFFIXES:
            settings = read_env(path, work.remarks)
            known[path.parent] = {one.name: one.value for one in settings}
            work.take_all(settings, path.parent)
    # What a compose file says outranks the .env beside it.
    for path in paths:
        if path.suffix in COMPOSE_SUFFIXES:
            compose = read_compose(path, known.get(path.parent, {}))
            work.remarks += compose.remarks
            work.take_all(compose.settings, path.parent)
            work.used |= compose.used
            for port in compose.ports:
                work.take_port(port)
    for kind, uid in (owners or {}).items():
        usual, option = OWNERS[kind]
        if option and uid != usual:
            work.options[tuple(option.split("."))] = uid
    if is_mempool_index and ELECTRS_ENABLE not in work.options:
        # What a file says of it counts more.
        work.options.setdefault(ELECTRS_MODE, "esplora")
    return work.done()


class _Translating:
    """What has been translated so far."""

    def __init__(self, base: Path) -> None:
        self.options: dict[OptionPath, Value] = {}
        self.remarks: list[str] = []
        # Names of .env files whose values were taken as those of others.
        self.used: set[str] = set()
        self._base = base
        self._secrets: dict[str, bytes] = {}
        self._commands: dict[str, None] = {}
        self._databases: dict[Path, None] = {}
        self._said_by: dict[OptionPath, Setting] = {}
        self._unknown: dict[str, None] = {}

    def take_all(self, settings: Iterable[Setting], folder: Path) -> None:
        """Translate settings of a file in `folder`; the later of two counts."""
        # The database's own variables only counted when it was empty.
        for one in sorted(settings, key=lambda one: one.name.startswith("DATABASE_")):
            self._take(one)
            if one.name in DATABASE_PATHS and one.value:
                self._databases[folder / one.value] = None

    def take_port(self, port: Port) -> None:
        """Let a service have the port that it had on the machine, but on loopback."""
        if port.role in _PORTS:
            # What the service itself was told is the port inside its container.
            self.options[_PORTS[port.role]] = port.number
        if not port.is_local:
            self._remark(
                port.place,
                f"port {port.number}",
                "was open to everyone who reached the machine: it will be on 127.0.0.1 alone",
            )

    def done(self) -> Translation:
        """Return all of it."""
        self._check_node()
        self._leave_out_unusable()
        if unknown := [name for name in self._unknown if name not in self.used]:
            self.remarks.append(f"not known here, so not translated: {', '.join(unknown)}")
        self.options |= {("enable",): True, ("storage", "base"): str(self._base)}
        said = [(path, one) for path, one in self.options.items() if _DEFAULTS.get(path) != one]
        ordered = dict(sorted(said, key=lambda option: _ORDER.index(option[0][0])))
        return Translation(
            definition("services.utxoracle", ordered),
            env_lines(self.options, self._base / DATA),
            [*dict.fromkeys(self.remarks), *CHANGES],
            [Secret(file, data) for file, data in self._secrets.items()],
            [*self._commands],
            [*self._databases],
        )

    def _take(self, setting: Setting) -> None:
        match rule_of(setting.name, setting.role):
            case None:
                self._unknown[setting.name] = None
            case Nothing(why):
                self._remark(setting.place, setting.name, why)
            case Option(path, kind, note):
                self._take_option(setting, path, kind, note)
            case Password() as rule:
                self._take_password(setting, rule)

    def _take_option(self, setting: Setting, path: OptionPath, kind: ValueType, note: str) -> None:
        try:
            value = _checked(setting, kind)
        except NotUnderstood as error:
            self._remark(setting.place, setting.name, f"is not translated: {error}")
            return
        if kind is ValueType.ELECTRS and value == "none":
            path, value = ELECTRS_ENABLE, False
        if note and _DEFAULTS.get(path) != value:
            self._remark(setting.place, setting.name, note)
        self._set(path, value, setting)

    def _take_password(self, setting: Setting, rule: Password) -> None:
        file = self._base / FOLDER / rule.file
        data = setting.value.encode()
        if not data:
            self._remark(
                setting.place,
                setting.name,
                f"is empty, for which the back end takes one of its own: write it to {file}"
                if rule.cure
                else "is empty, so not translated",
            )
            return
        if self._secrets.get(rule.file) == data:
            return
        if rule.cure and _BREAKS_SCRIPT & {*setting.value}:
            self._remark(
                setting.place,
                setting.name,
                "has a character that breaks the back end's start script (one of & ! \" \\): "
                f"{rule.cure} to one of {_SAFE}, and write it to {file}",
            )
        if rule.note:
            self._remark(setting.place, setting.name, rule.note)
        if rule.path[0] == OF_UTXORACLE:
            # Its user may not read what lies beside the passwords of others.
            command = ["install", "-D", "-o", USER, "-g", USER, "-m", "400", str(file)]
            file = _CONFIG / rule.file
            self._commands[shlex.join([*command, str(file)])] = None
        self._set(rule.path, str(file), setting, is_other=rule.file in self._secrets)
        self._secrets[rule.file] = data

    def _set(
        self, path: OptionPath, value: Value, setting: Setting, *, is_other: bool = False
    ) -> None:
        if is_other or self.options.get(path, value) != value:
            self.remarks.append(
                f"{self._said_by[path].place} and {setting.place} contradict each other: the "
                f"second counts, for {'.'.join(path)}"
            )
        self.options[path], self._said_by[path] = value, setting

    def _check_node(self) -> None:
        """Put right where the node is, and how to log in, which containers saw otherwise."""
        host = self.options.get(NODE_HOST)
        place = self._said_by[NODE_HOST].place if host else ""
        if host in _THE_MACHINE:
            self.options[NODE_HOST] = "127.0.0.1"
        elif isinstance(host, str) and not set(host) & {".", ":"}:
            del self.options[NODE_HOST]
            self._remark(
                place,
                "CORE_RPC_HOST",
                "is the name of a container, so not translated: set bitcoin.rpc.host",
            )
        elif host not in (None, "127.0.0.1"):
            self._remark(
                place,
                "CORE_RPC_HOST",
                "may be this machine's own address: 127.0.0.1 will do then, and the node need not "
                "listen on others",
            )
        if NODE_PASSWORD in self.options and NODE_COOKIE in self.options:
            del self.options[NODE_COOKIE]
            self._remark(
                self._said_by[NODE_COOKIE].place,
                "CORE_RPC_COOKIE_PATH",
                "is not taken, as there is a password: there can be one of the two",
            )

    def _leave_out_unusable(self) -> None:
        """Leave out settings of utxoracle's own that it would refuse, by themselves or together."""
        left = {path: str(one) for path, one in self.options.items() if path[0] == OF_UTXORACLE}
        taken: dict[str, str] = {}
        while fit := next((one for one in left if _is_usable({**taken, one[1]: left[one]})), None):
            taken[fit[1]] = left.pop(fit)
        for path in left:
            del self.options[path]
            said = f"{self._said_by[path].place}: {self._said_by[path].name} "
            # What would be different with it is no news without it.
            self.remarks = [one for one in self.remarks if not one.startswith(said)]
            self.remarks.append(
                f"{said}is not translated: utxoracle would refuse that value for {path[1]}, see "
                "docs/usage.md"
            )

    def _remark(self, place: str, name: str, what: str) -> None:
        self.remarks.append(f"{place}: {name} {what}")


def _is_usable(settings: Mapping[str, str]) -> bool:
    try:
        Settings.from_environment(settings)
    except UsageError:
        return False
    return True


def _checked(setting: Setting, kind: ValueType) -> Value:
    """Return the value as the option takes it.

    Raises:
        NotUnderstood: It isn't one that it takes, or must not be shown.
    """
    text = setting.value
    if not text:
        raise NotUnderstood("it is empty")
    if _SECRET_IN_URL.search(text):
        raise NotUnderstood(
            "a password may stand in its URL, and what Nix builds can be read by everyone"
        )
    if kind is ValueType.PORT:
        if not text.isdecimal() or not 0 < int(text) <= HIGHEST_PORT:
            raise NotUnderstood("it isn't a port")
        return int(text)
    if kind is ValueType.NUMBER:
        if not _NUMBER.fullmatch(text):
            raise NotUnderstood("it isn't a number")
        return float(text) if "." in text else int(text)
    if kind is ValueType.ELECTRS and text not in ("none", "electrum", "esplora"):
        raise NotUnderstood(f"it isn't {kind.value}")
    if kind is ValueType.NETWORK and text not in NETWORKS:
        raise NotUnderstood(f"it isn't one of {', '.join(NETWORKS)}")
    if kind is ValueType.SOURCE:
        if not (match := _URL.fullmatch(text)):
            raise NotUnderstood("it isn't a URL")
        scheme, host, rest = match.groups()
        return f"mempool+{scheme}{'127.0.0.1' if host == 'localhost' else host}{rest}"
    return text
