import pytest

from utxoracle.jobs.migration.compose_lines import read_compose
from utxoracle.jobs.migration.old_settings import Role

COMPOSE = """\
version: "3.7"
x-common: &common
  restart: always
networks:
  mempool-network:
    driver: bridge

services:
  # the index
  electrs:
    image: mempool/electrs:latest
    environment:
      - RUST_LOG=electrs=info
    command:
      - --cookie
      - "bitcoinrpc:hunter2"
  database:
    <<: *common
    image: "mariadb:10.5.21"
    environment:
      MYSQL_PASSWORD: ${DB_PASSWORD}   # from .env
      "MYSQL_USER": 'it''s'
    healthcheck:
      test: ["CMD", "mysqladmin", "ping"]
      environment:
        NOT: this
  first:
    environment:
    - "QUOTED=a # b"
    - PLAIN="c"
    -   DOLLAR=$$x
    - PASSED
    - EQUAL=a=b
    image: mempool/backend:latest
    ports:
      - 8999:8999
  web:
    ports:
      - "127.0.0.1:80:8080"
      - "[::1]:81:8080/tcp"
      - "0.0.0.0:82:8080"
    environment: &shared
      FRONTEND_HTTP_PORT: 8080
      EMPTY: ""
      DEFAULT: "${UNSET:-d}"

volumes:
  environment:
    NOT: this
"""

KNOWN = {"DB_PASSWORD": "hunter2", "PASSED": "on"}


def read(path, text, known=KNOWN):
    path.write_text(text)
    return read_compose(path, known)


def test_the_environment_of_each_service_is_read(tmp_path):
    compose = read(tmp_path / "docker-compose.yml", COMPOSE)
    assert [(one.role, one.name, one.value) for one in compose.settings] == [
        (Role.ELECTRS, "RUST_LOG", "electrs=info"),
        (Role.DATABASE, "MYSQL_PASSWORD", "hunter2"),
        (Role.DATABASE, "MYSQL_USER", "it's"),
        (Role.BACKEND, "QUOTED", "a # b"),
        (Role.BACKEND, "PLAIN", '"c"'),
        (Role.BACKEND, "DOLLAR", "$x"),
        (Role.BACKEND, "PASSED", "on"),
        (Role.BACKEND, "EQUAL", "a=b"),
        (Role.FRONTEND, "FRONTEND_HTTP_PORT", "8080"),
        (Role.FRONTEND, "EMPTY", ""),
        (Role.FRONTEND, "DEFAULT", "d"),
    ]
    assert compose.settings[0].place == f"{tmp_path.name}/docker-compose.yml line 13"


def test_ports_on_the_machine_are_read(tmp_path):
    compose = read(tmp_path / "docker-compose.yml", COMPOSE)
    assert [(port.role, port.number, port.is_local) for port in compose.ports] == [
        (Role.BACKEND, 8999, False),
        (Role.FRONTEND, 80, True),
        (Role.FRONTEND, 81, True),
        (Role.FRONTEND, 82, False),
    ]


def test_what_is_not_read_is_told_and_not_shown(tmp_path):
    file = f"{tmp_path.name}/docker-compose.yml"
    assert read(tmp_path / "docker-compose.yml", COMPOSE).remarks == [
        f"{file} line 18 is not understood: << of database isn't written line by line",
        f"{file}: the flags of electrs (its command) are not read: the module has its own; see "
        "whether a password stands among them",
    ]


@pytest.mark.parametrize(
    "line",
    [
        "A: |",
        "A: >-",
        "A: *other",
        "A: &anchor hunter2",
        "A: !!str hunter2",
        "A: {hunter2: 1}",
        'A: "hunter2',
        "A: 'hunter2",
        "A: ${UNKNOWN}",
        "A:",
        "- A",
        '- "A=hunter2',
        "<<: *hunter2",
        "hunter2 and more",
        "- 'hunter2 and more'",
        "? hunter2",
    ],
)
def test_a_variable_that_is_not_understood_is_told_and_not_shown(tmp_path, line):
    text = f"services:\n  api:\n    environment:\n      {line}\n        B: more\n      C: 3\n"
    compose = read(tmp_path / "c.yml", text, {})
    assert [(one.name, one.value) for one in compose.settings] == [("C", "3")]
    assert compose.remarks
    assert compose.remarks[0].startswith(f"{tmp_path.name}/c.yml line 4: ")
    assert "is not understood: " in compose.remarks[0]
    assert "hunter2" not in "".join(compose.remarks)


@pytest.mark.parametrize(
    "line", ["environment: {A: hunter2}", "environment: *x", "ports: [80]", "extends: hunter2"]
)
def test_what_is_not_written_line_by_line_is_told(tmp_path, line):
    compose = read(tmp_path / "c.yml", f"services:\n  api:\n    {line}\n")
    assert compose.remarks == [
        f"{tmp_path.name}/c.yml line 3 is not understood: {line.partition(':')[0]} of api isn't "
        "written line by line"
    ]


@pytest.mark.parametrize("line", ["env_file: other.env", "env_file:\n      - other.env"])
def test_other_files_are_told(tmp_path, line):
    (remark,) = read(tmp_path / "c.yml", f"services:\n  api:\n    {line}\n").remarks
    assert "api takes settings from another file" in remark


@pytest.mark.parametrize("line", ["8080", "3000-3005:3000-3005", "target: 80", "${UNKNOWN}:80"])
def test_a_port_that_is_not_understood_is_told(tmp_path, line):
    compose = read(tmp_path / "c.yml", f"services:\n  api:\n    ports:\n      - {line}\n", {})
    assert compose.ports == []
    (remark,) = compose.remarks
    assert "a port of api is not understood: " in remark


@pytest.mark.parametrize(
    ("service", "image", "role"),
    [
        ("x", "docker.io/mempool/backend:v3", Role.BACKEND),
        ("x", "mempool/frontend", Role.FRONTEND),
        ("api", "mariadb:10.11", Role.DATABASE),
        ("x", "mysql:8", Role.DATABASE),
        ("x", "getumbrel/electrs:v0.11", Role.ELECTRS),
        ("mempool-api", "my/image", Role.BACKEND),
        ("mempool-db", "my/image", Role.DATABASE),
        ("x", "my/image", None),
    ],
)
def test_the_image_tells_a_service_and_its_name_where_that_does_not(tmp_path, service, image, role):
    text = f"services:\n  {service}:\n    environment:\n      A: 1\n    image: {image}\n"
    assert [one.role for one in read(tmp_path / "c.yml", text).settings] == [role]
