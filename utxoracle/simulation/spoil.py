"""What a fault makes of a block, of the chain, and of an answer."""

import gzip
import re
from dataclasses import replace
from http import HTTPStatus
from threading import Event

from utxoracle.bitcoin.walk import walk
from utxoracle.simulation.answers import OCTETS, Answer, Delivery, Request
from utxoracle.simulation.faults import Kind
from utxoracle.simulation.view import BlockPlace, ChainView, ServedChain

HTML = "text/html"
OTHER_HOST = "127.0.0.2"
DAY = 86_400

STATUSES = {
    Kind.STATUS_500: HTTPStatus.INTERNAL_SERVER_ERROR,
    Kind.STATUS_502: HTTPStatus.BAD_GATEWAY,
    Kind.STATUS_503: HTTPStatus.SERVICE_UNAVAILABLE,
    Kind.STATUS_429: HTTPStatus.TOO_MANY_REQUESTS,
}
PAGE = "<html>\n<head><title>{0}</title></head>\n<body><h1>{0}</h1></body>\n</html>\n"

# What counts in a text: a hash or whole block in hex if there is one, otherwise a number.
WHAT_COUNTS = (re.compile(rb"[0-9a-f]{64,}"), re.compile(rb"[0-9]+"))


def spoilt_view(view: ChainView, served: ServedChain, kind: Kind) -> ChainView:
    """Return the view from which an answer of another or a stale block is given.

    Exchange prices are a day old there.
    """
    match kind:
        case Kind.OTHER:
            return replace(view, instead=_another, price_lag=DAY)
        case Kind.STALE:
            return replace(view, instead=served.stale_sibling, price_lag=DAY)
    return view


def spoilt_answer(
    answer: Answer, kind: Kind, *, request: Request, port: int, healed: Event
) -> Answer:
    """Return what becomes of a good answer.

    Args:
        answer: The good one.
        kind: What goes wrong.
        request: What it answers.
        port: Port of the server, to which a redirect leads on another host.
        healed: Ends the wait of a client that is kept waiting.
    """
    match kind:
        case Kind.STATUS_500 | Kind.STATUS_502 | Kind.STATUS_503 | Kind.STATUS_429:
            spoilt = _refusal(STATUSES[kind])
        case Kind.HTML:
            spoilt = Answer(200, HTML, PAGE.format("mempool").encode())
        case Kind.EMPTY:
            spoilt = Answer(200, answer.content_type, b"")
        case Kind.FLIP:
            spoilt = replace(answer, body=_flipped(answer.body, answer.content_type == OCTETS))
        case Kind.GZIP:
            headers = (*answer.headers, ("Content-Encoding", "gzip"))
            spoilt = replace(answer, body=gzip.compress(answer.body), headers=headers)
        case Kind.REDIRECT:
            location = f"http://{OTHER_HOST}:{port}{request.target}"
            spoilt = Answer(302, None, b"", (("Location", location),))
        case Kind.FLIP_WITNESS | Kind.OTHER | Kind.STALE:
            # The block in it is a spoilt one already.
            spoilt = answer
        case _:
            spoilt = replace(answer, delivery=Delivery(kind, healed))
    return spoilt


def with_flipped_witness(raw: bytes) -> bytes:
    """Return a raw block with one bit flipped inside a witness, of its last payment if it can be.

    Lengths stay as they are, so that nothing but the witness commitment tells.
    """
    layout = walk(raw)
    for position in (*reversed(range(1, len(layout.starts))), 0):
        witness = layout.witnesses[position]
        # A witness begins with the number of items and the length of the first one.
        if layout.segwit[position] and raw[witness] and raw[witness + 1]:
            return _flipped_at(raw, witness + 2)
    return raw


def _another(place: BlockPlace) -> BlockPlace:
    """Return the block before, or the one behind where there is none before."""
    first = place.chain.first_height
    height = place.height - 1 if place.height > first else max(place.height + 1, first)
    return replace(place, height=height)


def _refusal(status: HTTPStatus) -> Answer:
    headers = (("Retry-After", "1"),) if status == HTTPStatus.TOO_MANY_REQUESTS else ()
    page = PAGE.format(f"{status.value} {status.phrase}")
    return Answer(status.value, HTML, page.encode(), headers)


def _flipped(body: bytes, is_binary: bool) -> bytes:
    """Return `body` with its middle byte changed, or the middle one of what counts in a text."""
    start, end = 0, len(body)
    if not is_binary:
        found = next(filter(None, (one.search(body) for one in WHAT_COUNTS)), None)
        start, end = found.span() if found else (start, end)
    return _flipped_at(body, (start + end) // 2) if body else body


def _flipped_at(body: bytes, at: int) -> bytes:
    byte = body[at : at + 1]
    # One digit becomes another one: what is no hex any more would be found too easily.
    is_digit = re.fullmatch(rb"[0-9a-f]", byte)
    flipped = b"%x" % (int(byte, 16) ^ 1) if is_digit else bytes([byte[0] ^ 1])
    return body[:at] + flipped + body[at + 1 :]
