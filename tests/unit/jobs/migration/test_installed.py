"""What would start the hand-made jobs again is found, with how to remove it."""

import os
from pathlib import Path

import pytest

from tests.conftest import ordinary_user
from tests.old_tree import write
from utxoracle.jobs.migration.in_use import Obstacle, Obstacles
from utxoracle.jobs.migration.installed import installed

PLACE = Path("/mnt/old/apps/mempool-stack")

CRON_LINE = (
    "*/10 * * * * cd /home/sam/UTXOracle && uv run python3 scripts/daily_analysis.py "
    ">> /mnt/old/apps/utxoracle/logs/cron.log 2>&1"
)


def found(machine: Path) -> list[Obstacle]:
    obstacles = installed([PLACE], machine)
    assert obstacles.unknown == []
    return obstacles.found


def test_a_machine_without_any_of_it(tmp_path):
    write(tmp_path / "etc/cron.d/other", "0 3 * * * root /usr/bin/other\n")
    write(tmp_path / "etc/systemd/system/other.service", "[Service]\nExecStart=/bin/true\n")
    assert installed([PLACE], tmp_path) == Obstacles()


def test_a_file_of_cron_is_to_be_removed(tmp_path):
    path = write(tmp_path / "etc/cron.d/utxoracle", f"PATH=/usr/bin\n# prices\n{CRON_LINE}\n")
    assert found(tmp_path) == [Obstacle(f"cron still runs it: {path}, line 3", f"rm {path}")]


def test_a_file_of_cron_with_other_jobs_is_to_be_edited(tmp_path):
    path = write(
        tmp_path / "etc/cron.d/jobs",
        f"0 1 * * * root other\n{CRON_LINE}\n0 3 * * * sam /x/backup_duckdb.sh\n",
    )
    assert found(tmp_path) == [
        Obstacle(f"cron still runs it: {path}, lines 2, 3", "delete lines 2, 3")
    ]


def test_the_table_of_a_user(tmp_path):
    path = write(tmp_path / "var/spool/cron/crontabs/sam", f"MAILTO=sam\n{CRON_LINE}\n")
    assert found(tmp_path) == [
        Obstacle(f"cron still runs it: {path}, line 2", "delete line 2 with crontab -u sam -e")
    ]


def test_the_table_of_the_machine(tmp_path):
    path = write(tmp_path / "etc/crontab", f"17 * * * * root other\n{CRON_LINE}\n")
    assert found(tmp_path) == [Obstacle(f"cron still runs it: {path}, line 2", "delete line 2")]


def test_a_job_that_only_uses_the_old_folder(tmp_path):
    path = write(tmp_path / "etc/cron.daily/tidy", f"#!/bin/sh\ndu {PLACE}/data\n")
    assert found(tmp_path) == [Obstacle(f"cron still runs it: {path}, line 2", f"rm {path}")]


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("utxoracle", f"# {CRON_LINE}"),
        ("utxoracle.disabled", CRON_LINE),
        ("utxoracle~", CRON_LINE),
        ("other", f"0 1 * * * root du {PLACE}-2"),
    ],
)
def test_what_cron_passes_over_or_is_about_another_folder(tmp_path, name, line):
    write(tmp_path / "etc/cron.d" / name, f"{line}\n")
    assert found(tmp_path) == []


def test_a_unit_of_the_system_and_its_timer(tmp_path):
    folder = tmp_path / "etc/systemd/system"
    path = write(
        folder / "prices.service",
        "[Service]\nExecStart=python /x/UTXOracle/scripts/daily_analysis.py\n",
    )
    write(folder / "prices.timer", "[Timer]\nOnCalendar=*:0/10\n")
    assert found(tmp_path) == [
        Obstacle(
            f"systemd still runs it: {path}",
            f"systemctl disable --now prices.timer prices.service && rm {path}",
        )
    ]


def test_the_api_of_the_predecessor_by_its_module(tmp_path):
    path = write(
        tmp_path / "usr/lib/systemd/system/utxoracle-api.service",
        "[Service]\nExecStart=/x/uvicorn api.main:app --host 0.0.0.0\n",
    )
    (obstacle,) = found(tmp_path)
    assert obstacle.what == f"systemd still runs it: {path}"


@pytest.mark.parametrize("name", ["api.main:app", "daily_analysis.py", "backup_duckdb.sh"])
def test_what_a_stranger_calls_as_the_predecessor_did_is_not_its_job(tmp_path, name):
    write(tmp_path / "etc/systemd/system/shop.service", f"[Service]\nExecStart=/srv/shop {name}\n")
    write(tmp_path / "etc/cron.d/shop", f"@daily shop /srv/shop {name}\n")
    # Another unit says nothing of it.
    write(tmp_path / "etc/systemd/system/utxoracle-x.service", "[Service]\nExecStart=/bin/true\n")
    assert found(tmp_path) == []


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("prices.service.d/where.conf", "WorkingDirectory=/home/sam/UTXOracle"),
        ("prices.service.d/where.conf", f"ReadOnlyPaths={PLACE}"),
        ("prices.service.d/where.conf", "User=utxoracle"),
    ],
)
def test_what_a_unit_is_of_may_be_said_in_a_drop_in(tmp_path, file, line):
    folder = tmp_path / "etc/systemd/system"
    path = write(folder / "prices.service", "[Service]\nExecStart=uvicorn api.main:app\n")
    assert found(tmp_path) == []
    write(folder / file, f"[Service]\n{line}\n")
    assert f"systemd still runs it: {path}" in [one.what for one in found(tmp_path)]


def test_what_cron_runs_may_be_said_by_a_variable_above_it(tmp_path):
    line = "* * * * * x $APP/run daily_analysis.py"
    path = write(tmp_path / "etc/cron.d/jobs", f"APP=/home/sam/UTXOracle\n{line}\n")
    assert found(tmp_path) == [Obstacle(f"cron still runs it: {path}, line 2", f"rm {path}")]


def test_a_unit_whose_folder_is_only_named_in_a_drop_in(tmp_path):
    folder = tmp_path / "etc/systemd/system"
    path = write(
        folder / "stack.service.d" / "where.conf", f"[Service]\nWorkingDirectory={PLACE}\n"
    )
    (obstacle,) = found(tmp_path)
    assert obstacle.remedy == f"systemctl disable --now stack.service && rm {path}"


def test_the_unit_of_a_user(tmp_path):
    folder = tmp_path / "home/sam/.config/systemd/user"
    path = write(folder / "prices.service", f"[Service]\nWorkingDirectory={PLACE}\n")
    (obstacle,) = found(tmp_path)
    assert obstacle.remedy == (
        f"systemctl --user --machine=sam@ disable --now prices.service && rm {path}"
    )


def test_a_unit_is_told_once_though_lib_is_a_link(tmp_path):
    write(
        tmp_path / "usr/lib/systemd/system/a.service", "ExecStart=/x/utxoracle/daily_analysis.py\n"
    )
    (tmp_path / "lib").symlink_to("usr/lib")
    assert len(found(tmp_path)) == 1


def test_a_unit_that_is_masked_runs_nothing(tmp_path):
    (tmp_path / "etc/systemd/system").mkdir(parents=True)
    (tmp_path / "etc/systemd/system/a.service").symlink_to("/dev/null")
    assert found(tmp_path) == []


def test_a_unit_of_nixos_may_name_the_folder_but_not_the_jobs(tmp_path, monkeypatch):
    store = tmp_path / "nix" / "store"
    monkeypatch.setattr("utxoracle.jobs.migration.installed._STORE", store)
    (tmp_path / "etc/systemd/system").mkdir(parents=True)
    for name, line in (
        ("ours", f"ReadWritePaths={PLACE}"),
        ("old", "ExecStart=/x/utxoracle/daily_analysis.py"),
    ):
        write(store / "unit" / name, f"{line}\n")
        (tmp_path / f"etc/systemd/system/{name}.service").symlink_to(store / "unit" / name)
    assert found(tmp_path) == [
        Obstacle(
            f"systemd still runs it: {tmp_path}/etc/systemd/system/old.service",
            "remove it from the host's configuration",
        )
    ]


@pytest.mark.skipif(os.geteuid() != 0, reason="the tables must be another user's")
def test_tables_that_this_user_may_not_see_are_not_known(open_folder):
    tables = open_folder / "var/spool/cron/crontabs"
    write(tables / "sam", CRON_LINE)
    tables.chmod(0o700)
    secret = write(open_folder / "etc/cron.d/jobs", CRON_LINE)
    secret.chmod(0o600)
    with ordinary_user():
        obstacles = installed([PLACE], open_folder)
    assert obstacles.found == []
    assert obstacles.unknown == [
        f"{secret} can't be read (Permission denied): run it as root",
        f"the jobs in {tables} can't be seen: run it as root to be sure",
    ]


@pytest.mark.parametrize(
    ("name", "remedy"), [("anacrontab", "delete line 2"), ("cron.monthly/utxoracle", "rm {path}")]
)
def test_what_runs_once_a_month_or_when_the_machine_is_on(tmp_path, name, remedy):
    path = write(tmp_path / "etc" / name, f"#!/bin/sh\n{CRON_LINE}\n")
    assert found(tmp_path) == [
        Obstacle(f"cron still runs it: {path}, line 2", remedy.format(path=path))
    ]


def test_a_place_is_found_by_its_link_and_by_where_that_leads(tmp_path):
    place, link = tmp_path / "apps" / "stack", tmp_path / "link"
    place.mkdir(parents=True)
    link.symlink_to(place)
    path = write(tmp_path / "etc/crontab", f"@daily root {place}/run\n@daily root {link}/run\n")
    assert installed([link], tmp_path).found == [
        Obstacle(f"cron still runs it: {path}, lines 1, 2", "delete lines 1, 2")
    ]
