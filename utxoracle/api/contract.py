"""`/openapi.json`: the contract of all that is answered, for programs and for people."""

import json
from pathlib import Path

from falcon import MEDIA_JSON, Request, Response

from utxoracle import __version__
from utxoracle.api.entry import as_json
from utxoracle.api.headers import etag_of, is_not_modified
from utxoracle.api.parameters import only

DOCUMENT = Path(__file__).with_name("openapi.json")
"""The document but for its version, which is that of the program."""


class Contract:
    """The document of OpenAPI 3.1, with the version of the program that serves it."""

    def __init__(self) -> None:
        document = json.loads(DOCUMENT.read_bytes())
        document["info"]["version"] = __version__
        self._body = as_json(document)
        self._etag = etag_of(self._body)

    def on_get(self, request: Request, response: Response) -> None:
        """Answer with the document, or 304; it is the same until the program is another."""
        only(request, ())
        response.cache_control = ["no-cache"]
        if not is_not_modified(request, response, self._etag):
            response.content_type = MEDIA_JSON
            response.data = self._body

    on_head = on_get
