"""What `utxoracle migrate` prints are options that there are."""

import re

import pytest

from tests.nix.library import evaluate
from tests.nix.options import PAGE
from utxoracle.jobs.migration.compose import translate
from utxoracle.jobs.migration.env_text import NETWORKS
from utxoracle.jobs.migration.layout import OWNERS
from utxoracle.jobs.migration.old_names import OF_UTXORACLE, RULES, Nothing
from utxoracle.settings import Settings

ENV = """
CORE_RPC_HOST=127.0.0.1
CORE_RPC_PORT=8332
CORE_RPC_USERNAME=mempool
CORE_RPC_PASSWORD=hunter2
MYSQL_DATABASE=explorer
MYSQL_USER=explorer
MYSQL_PASSWORD=hunter3
MYSQL_ROOT_PASSWORD=hunter4
MEMPOOL_NETWORK=signet
MEMPOOL_POLL_RATE_MS=1000
BACKEND_HTTP_PORT=8998
FRONTEND_HTTP_PORT=8081
UTXORACLE_CONFIDENCE_THRESHOLD=0.5
ALERT_WEBHOOK_URL=https://alerts.example.org/hook
ALERT_PRICE_MIN_DIVERGENCE=5
FASTAPI_PORT=8001
"""
COOKIE = "CORE_RPC_COOKIE_PATH=/var/lib/bitcoind/.cookie\nMEMPOOL_API_URL=http://127.0.0.1:8999\n"


def options():
    return re.findall(r"^## services\.utxoracle\.(\S+)$", PAGE.read_text(), re.MULTILINE)


def paths():
    rules = [rule for rule in RULES.values() if not isinstance(rule, Nothing)]
    own = [("storage", "base"), ("enable",)]
    own += [tuple(option.split(".")) for _, option in OWNERS.values() if option]
    return sorted({rule.path for rule in rules} | {*own})


@pytest.mark.parametrize("path", paths(), ids=".".join)
def test_every_option_that_migrate_sets_is_there(path):
    free = {(OF_UTXORACLE,), ("mempool", "settings")}
    known = ".".join(path[:-1] if path[:-1] in free else path)
    assert known in options()


def test_the_settings_that_migrate_sets_are_of_the_program():
    known = [one.metadata["variable"] for one in Settings.__dataclass_fields__.values()]
    assert {path[1] for path in paths() if path[0] == OF_UTXORACLE} <= {*known}


def test_migrate_names_networks_as_the_module_does():
    page = PAGE.read_text().split("## services.utxoracle.network\n")[1].split("\n## ")[0]
    for name in NETWORKS:
        assert f'"{name}"' in page


def test_owners_that_migrate_expects_are_the_module_s_own():
    for uid, option in OWNERS.values():
        name = option or "mempool.uid"
        entry = PAGE.read_text().split(f"## services.utxoracle.{name}\n")[1].split("\n## ")[0]
        assert f"*Default:* `{uid}`" in entry


@pytest.mark.usefixtures("evaluating")
@pytest.mark.parametrize(
    ("env", "extra"), [(ENV, ""), (COOKIE, "services.utxoracle.mempool.enable = false;")]
)
def test_what_migrate_prints_is_a_configuration(env, extra, tmp_path):
    file = tmp_path / ".env"
    file.write_text(env)
    owners = {kind: uid + 1000 for kind, (uid, _) in OWNERS.items()}
    found = translate([file], base=tmp_path / "apps", owners=owners)
    module = tmp_path / "module.nix"
    disk = f'fileSystems."{tmp_path}" = {{ device = "/dev/sda1"; fsType = "ext4"; }};'
    module.write_text(f"{{ {found.nix} {disk} {extra} }}")
    assert evaluate(module, attribute="failed") == []
    rendered = evaluate(module, attribute="rendered")
    assert "hunter" not in str(rendered)
