"""docs/options.md, made of the module's own descriptions."""

import re
import textwrap
from typing import Any

from tests.nix.library import HERE, evaluate

PAGE = HERE.parent.parent / "docs" / "options.md"

_HEAD = """# Options of the NixOS module

All options of `services.utxoracle`, made of the module's own descriptions: edit those in
`nixos-module/`, then `python -m tests.nix.golden`. [nixos.md](nixos.md) says how to begin,
[usage.md](usage.md) has the settings of the program itself.
"""


def page() -> str:
    """Return the page."""
    documented = evaluate(HERE / "cases" / "minimal.nix", attribute="documented")
    return _HEAD + "".join(_entry(one) for one in sorted(documented, key=lambda one: one["name"]))


def _entry(option: dict[str, Any]) -> str:
    facts = [f"*Type:* {option['type']}"]
    if option.get("readOnly"):
        facts.append("*read only*")
    if "default" in option:
        facts.append(f"*Default:* {_value(option['default'])}")
    if "example" in option:
        facts.append(f"*Example:* {_value(option['example'])}")
    description = _text(option["description"])
    name = re.sub(r"([*_<])", r"\\\1", option["name"])
    return f"\n## {name}\n\n{description}\n\n" + "\n\n".join(facts) + "\n"


def _text(description: Any) -> str:
    return textwrap.dedent(description).strip()


def _value(value: dict[str, str]) -> str:
    text = value["text"].strip()
    if value["_type"] == "literalMD":
        return text
    return f"\n\n```nix\n{text}\n```" if "\n" in text else f"`{text}`"
