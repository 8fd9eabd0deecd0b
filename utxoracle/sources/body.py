"""Bodies of answers, read within a limit."""

import http.client
import zlib

import requests

_CHUNK = 1 << 16
_GZIP_OR_ZLIB = zlib.MAX_WBITS | 32


class BodyTooLarge(Exception):
    """Raised when a body has more bytes than it can have."""


class BodyUnreadable(Exception):
    """Raised when a body is packed in another way than gzip or deflate, or the packing is bad."""


def read_body(response: requests.Response, limit: int) -> bytes:
    """Return the whole body of `response`, unpacked.

    Nothing is read of a body that is announced as too large, and never more than `limit` bytes
    and a chunk: what requests unpacks by itself may be a thousand times a chunk.

    Raises:
        BodyTooLarge: It has more than `limit` bytes.
        BodyUnreadable: It can't be unpacked.
        OSError, urllib3.exceptions.HTTPError, http.client.HTTPException: It isn't whole.
    """
    if (response.raw.length_remaining or 0) > limit:
        raise BodyTooLarge
    body = bytearray()
    for chunk in response.raw.stream(_CHUNK, decode_content=False):
        body += chunk
        if len(body) > limit:
            raise BodyTooLarge
    if response.raw.length_remaining:
        # Only urllib3 2 finds that by itself.
        raise http.client.IncompleteRead(bytes(body))
    encoding = response.headers.get("Content-Encoding", "").strip().lower()
    if not body or encoding in ("", "identity"):
        return bytes(body)
    if encoding in ("gzip", "x-gzip", "deflate"):
        return _unpack(bytes(body), limit)
    raise BodyUnreadable


def _unpack(packed: bytes, limit: int) -> bytes:
    inflating = zlib.decompressobj(_GZIP_OR_ZLIB)
    try:
        body = inflating.decompress(packed, limit + 1)
    except zlib.error:
        raise BodyUnreadable from None
    if len(body) > limit:
        raise BodyTooLarge
    if not inflating.eof:
        raise http.client.IncompleteRead(body)
    if inflating.unused_data:
        raise BodyUnreadable
    return body
