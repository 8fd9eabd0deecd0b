"""What the page is made of: read once, kept compressed, at places whose names tell the content."""

import gzip
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from string import Template

from falcon import HTTPNotFound, Request, Response

import utxoracle
from utxoracle.api.headers import etag_of, is_not_modified

STATIC = "/static"

WEB = Path(utxoracle.__file__).parent / "web"

CHARTS = "vendor/plotly.min.js"
"""What draws the charts; put there when the package is built."""

_TEMPLATE = "index.html"
_YEAR = 365 * 86_400
_PIECE = 64 * 1024

_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}
"""All of it is text, so all of it is worth compressing."""

_GZIP = re.compile(r"(?:x-)?gzip|\*", re.IGNORECASE)
_REFUSED = re.compile(r"q=0(?:\.0*)?", re.IGNORECASE)


@dataclass(frozen=True)
class Asset:
    """A file of the page.

    Attributes:
        media_type: Its type, for a browser.
        packed: Its content, compressed by gzip.
        size: Number of bytes of the content.
        digest: What tells its content from all others.
    """

    media_type: str
    packed: bytes
    size: int
    digest: str

    def unpacked(self) -> Iterator[bytes]:
        """Yield the content in pieces: the largest file is five megabytes long."""
        unpack = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
        rest = self.packed
        while piece := unpack.decompress(rest, _PIECE):
            rest = unpack.unconsumed_tail
            yield piece


class Assets:
    """The files of a folder, as they were when this was made.

    Attributes:
        template: The page itself, to be filled in.
        prefix: Path under which the files are to be found; another program or content, another
            path, so that they may be kept for ever.
        has_charts: Whether the file is among them that draws the charts.
    """

    def __init__(self, folder: Path = WEB) -> None:
        self.template = Template((folder / _TEMPLATE).read_text("utf-8"))
        self._assets = dict(_read_assets(folder))
        self.fingerprint = f"{utxoracle.__version__}-{_fingerprint(self._assets)}"
        self.prefix = f"{STATIC}/{self.fingerprint}"
        self.has_charts = CHARTS in self._assets

    def find(self, fingerprint: str, name: str) -> Asset | None:
        """Return the file of a name, None where there is none or the content was another."""
        # By a dict alone, so that no name can lead out of the folder.
        return self._assets.get(name) if fingerprint == self.fingerprint else None


class Static:
    """The files of the page, which never change at their place."""

    def __init__(self, assets: Assets) -> None:
        self._assets = assets

    def on_get(self, request: Request, response: Response, fingerprint: str, path: str) -> None:
        """Answer with a file; 404 for one of a page from before an upgrade."""
        asset = self._assets.find(fingerprint, path)
        if asset is None:
            raise HTTPNotFound(
                description="this version of the page has no such file: load the page again"
            )
        is_packed = takes_gzip(request.get_header("Accept-Encoding") or "")
        etag = f"{asset.digest}-gzip" if is_packed else asset.digest
        response.vary = ["Accept-Encoding"]
        response.cache_control = ["public", f"max-age={_YEAR}", "immutable"]
        if is_not_modified(request, response, etag):
            return
        response.content_type = asset.media_type
        if is_packed:
            response.set_header("Content-Encoding", "gzip")
            response.data = asset.packed
        else:
            response.content_length = asset.size
            response.stream = asset.unpacked()

    on_head = on_get


def takes_gzip(accept_encoding: str) -> bool:
    """Tell whether a client that sends this header takes what gzip has compressed."""
    found: dict[str, bool] = {}
    for part in accept_encoding.split(","):
        coding, _, weight = part.partition(";")
        if _GZIP.fullmatch(coding.strip()):
            found[coding.strip()] = not _REFUSED.fullmatch(weight.strip())
    # What is said of everything else counts only where nothing is said of gzip.
    others = found.pop("*", False)
    return any(found.values()) if found else others


def _read_assets(folder: Path) -> Iterator[tuple[str, Asset]]:
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        is_packed = path.suffix == ".gz"
        media_type = _TYPES.get(Path(name.removesuffix(".gz")).suffix)
        if media_type is None or not path.is_file():
            continue
        content = path.read_bytes()
        packed = content if is_packed else gzip.compress(content, mtime=0)
        digest = etag_of(content)
        size = _unpacked_size(content) if is_packed else len(content)
        yield name.removesuffix(".gz"), Asset(media_type, packed, size, digest)


def _unpacked_size(packed: bytes) -> int:
    # RFC 1952: the last four bytes are the size of the input, modulo 2^32.
    return int.from_bytes(packed[-4:], "little")


def _fingerprint(assets: dict[str, Asset]) -> str:
    parts = sorted((name, asset.digest) for name, asset in assets.items())
    return blake2b(repr(parts).encode(), digest_size=8).hexdigest()
