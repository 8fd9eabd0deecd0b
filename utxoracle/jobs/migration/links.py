"""Links within what is taken over, which may lead elsewhere from another place."""

import os
from collections.abc import Collection, Iterator
from pathlib import Path


def leading_out(links: Collection[Path], source: Path) -> list[Path]:
    """Return the links that lead out of `source` by a path that begins where they are."""
    return [link for link in links if _leads_out(link, source)]


def leading_into(links: Collection[Path], places: Collection[Path]) -> list[Path]:
    """Return the links that lead to a place, or below it, by a path from the root."""
    names = {name for place in places for name in (place, place.resolve())}
    return [
        link
        for link in links
        if link.readlink().is_absolute()
        and any(destination(link).is_relative_to(name) for name in names)
    ]


def destination(link: Path) -> Path:
    """Return where a link leads by its text."""
    return Path(os.path.normpath(link.parent / link.readlink()))


def told(links: Collection[Path]) -> str:
    """Return the first of some links, where it leads, and how many more there are."""
    first, *others = sorted(links)
    more = f" (and {len(others):,} more links)" if others else ""
    return f"{first} leads to {destination(first)}{more}"


def _leads_out(link: Path, source: Path) -> bool:
    text = link.readlink()
    # Also where it comes back in by the name of the folder, which may be another one then.
    return not text.is_absolute() and min(_depths(link, text, source)) < 0


def _depths(link: Path, text: Path, source: Path) -> Iterator[int]:
    """Yield how deep below `source` each part of a link's text leads; negative: out of it."""
    depth = len(link.relative_to(source).parts) - 1
    yield depth
    for part in text.parts:
        depth += -1 if part == ".." else 1
        yield depth
