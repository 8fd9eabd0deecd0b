"""Options as text for a NixOS configuration, laid out as nixfmt does."""

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal

Value = str | int | float | bool

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_'-]*")
_KEYWORDS = {"assert", "else", "if", "in", "inherit", "let", "or", "rec", "then", "with"}
_SPECIAL = re.compile(r'["\\]|\$(?=\{)')
_NAMED = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}

_Tree = dict[str, "Value | _Tree"]


def definition(name: str, options: Mapping[tuple[str, ...], Value]) -> str:
    """Return lines that set the options below `name`, ascending as they come.

    Args:
        name: Where they belong, for example services.utxoracle.
        options: Values by path.
    """
    tree: _Tree = {}
    for path, value in options.items():
        branch = tree
        for part in path[:-1]:
            below = branch.setdefault(part, {})
            if not isinstance(below, dict):
                raise ValueError(f"{part} has a value of its own")
            branch = below
        branch[path[-1]] = value
    return "\n".join([f"{name} = {{", *_indented(_lines(tree)), "};"]) + "\n"


def _lines(tree: _Tree) -> Iterable[str]:
    for name, value in tree.items():
        if not isinstance(value, dict):
            yield f"{_key(name)} = {literal(value)};"
            continue
        first, *others = _lines(value)
        # A lone option stands in one line with the set that it is in.
        if len(value) == 1:
            yield from (f"{_key(name)}.{first}", *others)
        else:
            yield from (f"{_key(name)} = {{", *_indented([first, *others]), "};")


def _indented(lines: Iterable[str]) -> list[str]:
    return [f"  {line}" for line in lines]


def _key(name: str) -> str:
    return name if _IDENTIFIER.fullmatch(name) and name not in _KEYWORDS else literal(name)


def literal(value: Value) -> str:
    """Return a value as Nix reads it.

    Raises:
        ValueError: Nix has no such text.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        # Nix takes 1e-05 for a name.
        return f"{Decimal(repr(value)):f}"
    if "\0" in value:
        raise ValueError("a text of Nix can't hold a zero byte")
    escaped = _SPECIAL.sub(lambda found: f"\\{found[0]}", value)
    return '"' + "".join(_NAMED.get(letter, letter) for letter in escaped) + '"'
