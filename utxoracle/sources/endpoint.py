"""Where a server is, as its URL names it."""

import ipaddress
import socket
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

Credentials = tuple[str, str]
"""User name and password."""


@dataclass(frozen=True)
class Endpoint:
    """Where a server is.

    Attributes:
        base: URL without credentials and without a slash at the end.
        place: Host and port, for people; a path may hold a token.
        port: The port that the URL names, if any.
        loopback: Whether it is this machine, as far as the address itself says.
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
    address = _address_of(host)
    if address is None:
        return f".{host.removesuffix('.')}".endswith(".localhost")
    # What no address is given for, such as 0.0.0.0, is connected to on this machine.
    return address.is_loopback or address.is_unspecified


def _address_of(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Return the address that a host is connected to at, if that needs no look-up."""
    try:
        # Takes what the system does: 127.1, 0x7f000001 and 2130706433 are 127.0.0.1.
        return ipaddress.IPv4Address(socket.inet_aton(host))
    except (OSError, ValueError):
        pass
    try:
        address = ipaddress.IPv6Address(host)
    except ValueError:
        return None
    return address.ipv4_mapped or address
