"""What the server tells on stderr: a line for each request and each event."""

import logging
import os
import time
from collections.abc import MutableMapping
from datetime import timedelta
from typing import Any

from gunicorn.glogging import Logger

_JOURNAL = "JOURNAL_STREAM"
"""Set by systemd where the output goes to the journal, which knows the time."""

_LOCAL = "local"
"""Who asks over a unix socket has no address."""


class Log(Logger):
    """Writes what gunicorn and the program tell in one form, and each request as one line.

    Of a request only its first line is told: a token stands in none.
    """

    def setup(self, cfg: Any) -> None:
        """Begin to write, or go on as a changed configuration says."""
        super().setup(cfg)
        if cfg.accesslog == "-":
            # One stream tells it all, in order; and stdout is what other commands print on.
            self.access_log.handlers = self.error_log.handlers
        ours = logging.getLogger("utxoracle")
        ours.handlers = self.error_log.handlers
        ours.setLevel(self.error_log.level)
        for handler in {*self.error_log.handlers, *self.access_log.handlers}:
            handler.setFormatter(_Line(with_time=_JOURNAL not in os.environ))

    def access(
        self, resp: Any, req: Any, environ: MutableMapping[str, Any], request_time: timedelta
    ) -> None:
        """Tell of a request: client, method, path and query, status, bytes and milliseconds."""
        if self.cfg.accesslog:
            # What isn't printable would let a client write lines of its own, or to a terminal.
            target = ascii(environ["RAW_URI"])[1:-1]
            self.access_log.info(
                "%s %s %s %s %d bytes %.1f ms",
                environ["REMOTE_ADDR"] or _LOCAL,
                environ["REQUEST_METHOD"],
                target,
                str(resp.status).partition(" ")[0],
                resp.sent,
                1000 * request_time.total_seconds(),
            )

    def refusal(self, client: Any, status: int, detail: str) -> None:
        """Tell of what a client sent that is no request."""
        if self.cfg.accesslog:
            address = client[0] if client else _LOCAL
            self.access_log.info("%s refused: %d %s", address, status, detail)


class _Line(logging.Formatter):
    def __init__(self, *, with_time: bool) -> None:
        fmt = "%(asctime)s utxoracle: %(message)s" if with_time else "utxoracle: %(message)s"
        super().__init__(fmt, "%Y-%m-%dT%H:%M:%SZ")
        self.converter = time.gmtime

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802
        record.message = " ".join(record.message.split())
        if record.levelno >= logging.WARNING:
            record.message = f"warning: {record.message}"
        return super().formatMessage(record)
