"""The server in the foreground: gunicorn with our settings, in this process and its workers."""

import signal
import socket
from collections.abc import Callable
from typing import Any

from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from gunicorn.systemd import listen_fds

from utxoracle.api.access import read_token
from utxoracle.api.headers import allowed_origins
from utxoracle.api.log import Log
from utxoracle.api.worker import ENDING
from utxoracle.errors import UsageError
from utxoracle.settings import Settings, variable_of

_BACKLOG = 2048


def serve(
    settings: Settings,
    *,
    access_log: bool = True,
    events: bool = True,
    ready: Callable[[str], None] | None = None,
    listener: socket.socket | None = None,
) -> None:
    """Answer requests until a signal ends it; never returns.

    On `listener` if there is one, on sockets that systemd passes in, where it does, otherwise on
    the address of the settings.
    This process keeps its id and only looks after the workers, where the application is loaded.

    Args:
        settings: What to serve, where, and with how many workers.
        access_log: Whether each request is told.
        events: Whether it is told what becomes of the workers, or only what goes wrong.
        ready: Called with the URL once it listens there.
        listener: What to listen on; closed by this.

    Raises:
        UsageError: A setting can't be used, or the address can't be listened on.
        SystemExit: It has ended: 0 after a signal, another code where no worker can start.
    """
    # What the workers find out would be told by each of them, in a trace.
    read_token(settings)
    allowed_origins(settings)
    settings.data_folder()
    options: dict[str, Any] = {
        "workers": settings.api_workers,
        "accesslog": "-" if access_log else None,
        "loglevel": "info" if events else "warning",
    }
    if listener is None and not listen_fds(unset_environment=False):
        listener = listen(settings)
    if listener:
        if ready:
            # Not before gunicorn minds signals: whoever reads the line may send one at once.
            url = url_of(listener)
            options["when_ready"] = lambda server: ready(url)
        # gunicorn would try five times, and tell each time that the port is in use.
        options["bind"] = f"fd://{listener.detach()}"
    _Server(settings, options).run()


class _Server(BaseApplication):
    """What gunicorn runs."""

    def __init__(self, settings: Settings, options: dict[str, Any]) -> None:
        self._settings = settings
        self._options = options
        super().__init__()

    def load_config(self) -> None:
        from utxoracle.api import gunicorn_conf

        known = {
            name: value
            for name, value in {**vars(gunicorn_conf), **self._options}.items()
            if name in self.cfg.settings
        }
        for name, value in known.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        # Imported in the workers only, since DuckDB starts threads when it is.
        from utxoracle.api.app import create_app

        return create_app(self._settings)

    def run(self) -> None:
        _Master(self, self._settings).run()


class _Master(Arbiter):
    """Looks after the workers."""

    log: Log

    def __init__(self, app: BaseApplication, settings: Settings) -> None:
        super().__init__(app)
        self._settings = settings

    def handle_hup(self) -> None:
        """Start new workers, unless they couldn't: then the old ones go on."""
        try:
            read_token(self._settings)
        except UsageError as error:
            self.log.error("not reloaded: %s", error)
        else:
            super().handle_hup()

    def spawn_worker(self) -> Any:
        """Start a worker, which is to miss no signal: it would be waited for until it is killed."""
        signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
        try:
            return super().spawn_worker()
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)


def listen(settings: Settings) -> socket.socket:
    """Return a socket that listens on the address of the settings; port 0 takes a free one.

    Raises:
        UsageError: It can't be listened on.
    """
    host, port = settings.api_host, settings.api_port
    place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    try:
        family, *_, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        return socket.create_server(
            address,
            family=family,
            backlog=_BACKLOG,
            dualstack_ipv6=family == socket.AF_INET6 and socket.has_dualstack_ipv6(),
        )
    except (OSError, UnicodeError) as error:
        # The second comes from what can't be a name; to the first, Python adds the address.
        reason = str(error.strerror if isinstance(error, OSError) else error).partition(" (")[0]
        raise UsageError(
            f"{place} can't be listened on: {reason}; choose another address or port "
            f"(--host, --port, or {variable_of('api_host')}, {variable_of('api_port')})"
        ) from None


def url_of(listener: socket.socket) -> str:
    """Return the URL at which a socket listens."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"
