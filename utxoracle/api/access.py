"""The bearer token: who may read, where it is read from, and what is free of it."""

import hmac

from falcon import HTTPUnauthorized, Request, Response

from utxoracle.api.static import STATIC
from utxoracle.settings import HEALTH, PAGE, Settings, variable_of
from utxoracle.sources.secret_file import bearer_token

_REALM = 'Bearer realm="utxoracle"'


def read_token(settings: Settings) -> str | None:
    """Return the token that requests must bring, None when none is wanted.

    Raises:
        UsageError: The file can't be read, or what it holds won't do as a token.
    """
    path = settings.api_token_file
    return bearer_token(path, variable_of("api_token_file")) if path else None


class Access:
    """Lets a request pass that brings the token, and those to what is free of it.

    As middleware it comes before routing, so places that are there and others look alike.
    """

    def __init__(self, token: str | None, open_parts: frozenset[str]) -> None:
        """Want `token` everywhere but in `open_parts`, of HEALTH and PAGE; None wants nothing."""
        self._token = None if token is None else token.encode()
        self._open_parts = open_parts

    def process_request(self, request: Request, response: Response) -> None:
        """Let a request pass, or refuse it.

        Raises:
            HTTPUnauthorized: It lacks the token.
        """
        # A browser asks by OPTIONS whether it may send the token, and can't send it with that.
        if self.knows(request) or request.method == "OPTIONS" or self._is_open(request.path):
            return
        if request.auth:
            detail = "the token in the header Authorization is not the one that is wanted here"
            challenge = f'{_REALM}, error="invalid_token"'
        else:
            detail = "this wants a token, in the header: Authorization: Bearer TOKEN"
            challenge = _REALM
        raise HTTPUnauthorized(description=detail, challenges=[challenge])

    def knows(self, request: Request) -> bool:
        """Tell whether a request brings the token, or none is wanted."""
        if self._token is None:
            return True
        scheme, _, given = (request.auth or "").partition(" ")
        # As bytes: strings are compared in constant time only where they are ASCII.
        return hmac.compare_digest(given.strip().encode(), self._token) and (
            scheme.lower() == "bearer"
        )

    def _is_open(self, path: str) -> bool:
        if path == "/health":
            return HEALTH in self._open_parts
        return (path == "/" or path.startswith(f"{STATIC}/")) and PAGE in self._open_parts
