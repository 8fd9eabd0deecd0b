"""Where a server is, as its URL names it."""

import ipaddress
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

Credentials = tuple[str, str]
"""User name and password."""


@dataclass(frozen=True)
class Endpoint:
    """Where a server is.

    Attributes:
        base: URL without credentials and without a slash at the end.
        place: Host and port, for people.
        port: The port that the URL names, if any.
        loopback: Whether it is this machine.
        credentials: User and password that the URL held.
    """

    base: str
    place: str
    port: int | None
    loopback: bool
    credentials: Credentials | None = field(default=None, repr=False)


def parse_endpoint(url: str) -> Endpoint:
    """Return the endpoint that `url` names.

    Raises:
        ValueError: There is no host, the port is no port, or it has a query or fragment.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        # What that error itself says may repeat the password.
        raise ValueError("its host is no host name or number") from None
    if not parts.hostname:
        raise ValueError("it names no host")
    if parts.query or parts.fragment:
        raise ValueError("nothing may follow its path")
    try:
        port = parts.port
    except ValueError:
        raise ValueError("its port isn't a number from 0 to 65535") from None
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    place = host if port is None else f"{host}:{port}"
    return Endpoint(
        base=f"{parts.scheme}://{place}{parts.path.rstrip('/')}",
        place=place,
        port=port,
        loopback=_is_loopback(parts.hostname),
        credentials=(
            (unquote(parts.username), unquote(parts.password or "")) if parts.username else None
        ),
    )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
