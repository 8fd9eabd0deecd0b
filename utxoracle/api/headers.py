"""What every answer tells a browser: what it may do with it, and which other pages may read it."""

import re
from hashlib import blake2b
from typing import Any

from falcon import HTTP_NOT_MODIFIED, CORSMiddleware, Request, Response

from utxoracle.errors import UsageError
from utxoracle.settings import Settings, variable_of

POLICY = "Content-Security-Policy"

PAGE_POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    ]
)
"""For the page: nothing from elsewhere, and nothing that stands in the HTML itself."""

_DATA_POLICY = "default-src 'none'; frame-ancestors 'none'"

_EXPOSED = ["ETag", "X-Interval", "Retry-After", "Content-Disposition"]

_ORIGIN = re.compile(
    r"[a-z][a-z0-9+.-]*://(?:[a-z0-9_-]+(?:\.[a-z0-9_-]+)*|\[[0-9a-f:.]+\])(?::[1-9][0-9]{0,4})?"
)
_USUAL_PORT = re.compile(r"http:.*:80|https:.*:443")


def header_middleware(settings: Settings) -> list[Any]:
    """Return what puts its headers on every answer; to stand before what may refuse a request.

    Raises:
        UsageError: The setting of CORS names something else than origins.
    """
    origins = allowed_origins(settings)
    if origins is None:
        return [SecurityHeaders(is_shared=False)]
    cors: CORSMiddleware[Any, Any] = CORSMiddleware(
        allow_origins="*" if origins == ["*"] else origins, expose_headers=_EXPOSED
    )
    return [SecurityHeaders(is_shared=True), cors]


def allowed_origins(settings: Settings) -> list[str] | None:
    """Return the origins whose pages may read the API, `*` for all; None when none may.

    Raises:
        UsageError: One is not written as browsers write it.
    """
    if settings.api_cors is None:
        return None
    origins = settings.api_cors.lower().split()
    if origins == ["*"]:
        return origins
    for origin in origins:
        if not _ORIGIN.fullmatch(origin) or _USUAL_PORT.fullmatch(origin):
            raise UsageError(
                f"{variable_of('api_cors')} must be * or origins as browsers write them, such as "
                f"https://example.org or http://192.168.1.2:3000 (no path, no usual port), not "
                f"{origin!r}"
            )
    return origins


def etag_of(content: bytes) -> str:
    """Return what tells a content from all others."""
    return blake2b(content, digest_size=12).hexdigest()


def is_not_modified(request: Request, response: Response, etag: str) -> bool:
    """Put the ETag of an answer on it, and make it 304 where the client says that it has that."""
    response.etag = etag
    # "*" would stand for anything that is there, which isn't known before it is looked for.
    if etag not in (request.if_none_match or []):
        return False
    response.status = HTTP_NOT_MODIFIED
    # There is no content that this would be the type of.
    response.delete_header("Content-Type")
    return True


class SecurityHeaders:
    """Puts on every answer what keeps other pages, and what others slip into ours, away."""

    def __init__(self, *, is_shared: bool) -> None:
        """Say that other origins may read what is answered, where it `is_shared`."""
        self._is_shared = is_shared
        self._headers = {
            "X-Content-Type-Options": "nosniff",
            "X-Frame-Options": "DENY",
            "Referrer-Policy": "no-referrer",
            "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
            "Cross-Origin-Resource-Policy": "cross-origin" if is_shared else "same-origin",
        }

    def process_response(
        self, request: Request, response: Response, resource: object, req_succeeded: bool
    ) -> None:
        """Add the headers to one answer."""
        response.set_headers(self._headers)
        if response.get_header(POLICY) is None:
            response.set_header(POLICY, _DATA_POLICY)
        if self._is_shared:
            # CORSMiddleware answers by it, and caches must not give one origin's answer to
            # another.
            response.append_header("Vary", "Origin")
