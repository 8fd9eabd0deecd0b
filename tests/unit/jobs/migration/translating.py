"""What tests of the translation of old settings share."""

from pathlib import Path

from tests.old_tree import write
from utxoracle.jobs.migration.compose import CHANGES, translate

BASE = Path("/mnt/nvme/prod/apps")
USAGE = (Path(__file__).resolve().parents[4] / "docs" / "usage.md").read_text()
FOLDER = f"{BASE}/mempool/config/secrets"

SETUP_SCRIPT = """\
services:
  electrs:
    image: mempool/electrs:latest
    network_mode: host
    command:
      - --cookie
      - "bitcoinrpc:hunter2hunter2"
  db:
    image: mariadb:10.5.21
    environment:
      MYSQL_DATABASE: mempool
      MYSQL_USER: mempool
      MYSQL_PASSWORD: db-hunter2
      MYSQL_ROOT_PASSWORD: root-hunter2
  api:
    image: mempool/backend:latest
    environment:
      MEMPOOL_BACKEND: "esplora"
      CORE_RPC_HOST: "host.docker.internal"
      CORE_RPC_PORT: "8332"
      CORE_RPC_USERNAME: "bitcoinrpc"
      CORE_RPC_PASSWORD: "$$(openssl rand -hex 32)"  # literally
      ESPLORA_REST_API_URL: "http://192.168.1.111:3001"
      DATABASE_HOST: "db"
      DATABASE_DATABASE: "mempool"
      DATABASE_USERNAME: "mempool"
      DATABASE_PASSWORD: "db-hunter2"
      STATISTICS_ENABLED: "true"
      MEMPOOL_API_URL_PREFIX: "/api/v1/"
      MEMPOOL_HTTP_PORT: "8999"
      MEMPOOL_PRICE_UPDATE_INTERVAL: "600"
  web:
    image: mempool/frontend:latest
    ports:
      - "8081:8080"
    environment:
      FRONTEND_HTTP_PORT: "8080"
      BACKEND_MAINNET_HTTP_HOST: "api"
    command: "./wait-for db:3306 --timeout=720 -- nginx -g 'daemon off;'"
"""


def translated(folder, env="", compose="", **others):
    files = [write(folder / "stack" / ".env", env)]
    if compose:
        files.append(write(folder / "stack" / "docker-compose.yml", compose))
    return translate(files, base=BASE, **others)


def options(translation):
    """The lines of the options, without those that are always there."""
    first, *lines, last = translation.nix.splitlines()
    assert (first, last) == ("services.utxoracle = {", "};")
    for always in ("  enable = true;", f'  storage.base = "{BASE}";'):
        lines.remove(always)
    return [line.removeprefix("  ") for line in lines]


def remarks(translation):
    """What is told of the settings, without where they stood."""
    assert tuple(translation.remarks[-len(CHANGES) :]) == CHANGES
    found = translation.remarks[: -len(CHANGES)]
    assert not [one for one in found if "\n" in one]
    return [one.partition(": ")[2] if " line " in one.split(":")[0] else one for one in found]


def secrets(translation):
    return {one.name: one.data.decode() for one in translation.secrets}
