"""Options as lines of utxoracle.env, for whoever runs plain systemd."""

import shlex
from collections.abc import Mapping
from pathlib import Path

from utxoracle.jobs.migration.nix_text import Value
from utxoracle.jobs.migration.old_names import BACKEND_PORT, SOURCE, OptionPath
from utxoracle.settings import variable_of

_MEMPOOL_PORT = 8999
"""Of mempool's back end, if it has no other."""

NETWORKS = {
    "mainnet": "main",
    "testnet": "test",
    "testnet4": "testnet4",
    "signet": "signet",
    "regtest": "regtest",
}
"""What mempool calls networks, and what they are called here."""


def env_lines(options: Mapping[OptionPath, Value], data_dir: Path) -> str:
    """Return the settings of utxoracle itself, as both systemd and a shell read them.

    The source is always among them: nothing but the module has one of its own.
    """
    port = options.get(BACKEND_PORT, _MEMPOOL_PORT)
    settings: dict[str, Value] = {
        variable_of("data_dir"): str(data_dir),
        SOURCE[1]: f"mempool+http://127.0.0.1:{port}",
    }
    for path, value in options.items():
        match path:
            case ["settings", name]:
                settings[name] = value
            case ["network"]:
                settings[variable_of("network")] = NETWORKS[str(value)]
            case ["api", "port"]:
                settings[variable_of("api_port")] = value
    return "".join(f"{name}={shlex.quote(str(value))}\n" for name, value in settings.items())
