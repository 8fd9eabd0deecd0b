"""The one shape of every error: `{"error": {"status", "title", "detail"}}`."""

import json
import logging
from http import HTTPStatus

import falcon
from falcon import App, HTTPError, Request, Response

from utxoracle.errors import StorageError

RETRY_SECONDS = 60
"""What Retry-After says where nothing is published: a run is at most some minutes away."""

_DETAILS = {
    404: "there is no such place here; /openapi.json lists all that there are",
    405: "nothing can be changed here: use GET or HEAD",
}
"""What Falcon leaves out."""

_LOG = logging.getLogger(__name__)


class NoData(Exception):
    """Raised when what was asked for is not stored."""


def problem(status: int, detail: str) -> bytes:
    """Return the body of an error."""
    error = {"status": status, "title": HTTPStatus(status).phrase, "detail": detail}
    return json.dumps({"error": error}).encode()


def add_problems(app: App[Request, Response]) -> None:
    """Let every failure of an app have the shape."""
    app.set_error_serializer(_serialize)
    app.add_error_handler(NoData, _no_data)
    app.add_error_handler(StorageError, _no_snapshot)
    app.add_error_handler(Exception, _unexpected)
    # More specific than Exception, which Falcon would otherwise hand these to as well.
    app.add_error_handler(HTTPError, _refused)


def _serialize(request: Request, response: Response, error: HTTPError) -> None:
    status = falcon.http_status_to_code(error.status)
    detail = error.description or _DETAILS.get(status, error.title or "")
    response.data = problem(status, detail)
    response.content_type = falcon.MEDIA_JSON
    # An error must not outlive its cause in a cache, nor be taken for what was asked for, or be
    # saved as that.
    for name in ("ETag", "Content-Disposition", "X-Interval"):
        response.delete_header(name)
    response.cache_control = ["no-store"]


def _refused(request: Request, response: Response, error: HTTPError, params: object) -> None:
    response.status = error.status
    if error.headers is not None:
        response.set_headers(error.headers)
    _serialize(request, response, error)


def _no_data(request: Request, response: Response, error: NoData, params: object) -> None:
    raise falcon.HTTPNotFound(description=str(error))


def _no_snapshot(request: Request, response: Response, error: StorageError, params: object) -> None:
    raise falcon.HTTPServiceUnavailable(description=str(error), retry_after=RETRY_SECONDS)


def _unexpected(request: Request, response: Response, error: Exception, params: object) -> None:
    # The path only: a query may hold what doesn't belong into a log.
    _LOG.error("%s %s failed", request.method, request.path, exc_info=error)
    raise falcon.HTTPInternalServerError(
        description="this is a defect of the program; its log says more"
    )
