"""What is found of trees that were made by hand."""

import os
from pathlib import Path

import pytest

from tests.conftest import ordinary_user
from tests.old_tree import (
    apps,
    cache_folder,
    checkout,
    electrs_folder,
    mysql_folder,
    price_database,
    price_job,
    stack,
    write,
)
from utxoracle.errors import UsageError
from utxoracle.jobs.migration.kinds import Kind, kind_of
from utxoracle.jobs.migration.layout import ours
from utxoracle.jobs.migration.tree import TRANSLATED, UNREAD, UNSEEN, OldTree, find_tree


def found(tree: OldTree) -> dict[str, list[str]]:
    """Return what was found, by kind, as paths below the root."""
    names: dict[str, list[str]] = {}
    for one in tree.found:
        names.setdefault(one.kind, []).append(os.path.relpath(one.name, tree.root))
    return names


PRICES = {
    "database": [
        "utxoracle/data/utxoracle_cache.db",
        "utxoracle/data/backups/utxoracle_cache_2025-11-02.db",
        "utxoracle/data/backups/utxoracle_cache_2025-11-03.db",
    ],
    "logs": ["utxoracle/logs"],
}


@pytest.mark.parametrize("name", ["mempool", "mempool-stack"])
def test_a_folder_with_a_stack_and_a_price_job(tmp_path, machine, name):
    tree = find_tree(apps(tmp_path / "apps", name=name), machine=machine)
    assert found(tree) == PRICES | {
        "mysql": [f"{name}/data/mysql"],
        "electrs": [f"{name}/data/electrs"],
        "cache": [f"{name}/data/cache"],
        "stack-logs": [f"{name}/logs"],
    }
    assert {path.relative_to(tree.root) for path in tree.settings} == {
        Path(name, "docker-compose.yml"),
        Path(name, ".env"),
        Path("utxoracle/.env"),
    }
    assert tree.closed == ()


def test_a_stack_alone(tmp_path, machine):
    tree = find_tree(stack(tmp_path / "any-name"), machine=machine)
    assert found(tree) == {
        "mysql": ["data/mysql"],
        "electrs": ["data/electrs"],
        "cache": ["data/cache"],
        "stack-logs": ["logs"],
    }


@pytest.mark.parametrize("root", [".", "mempool", "mempool/docker"])
def test_a_checkout_of_mempool(tmp_path, machine, root):
    docker = checkout(tmp_path / "src" / "mempool")
    tree = find_tree((tmp_path / "src" / root).resolve(), machine=machine)
    assert {one.kind: one.path for one in tree.found} == {
        Kind.MYSQL: docker / "mysql" / "data",
        Kind.ELECTRS: docker / "electrs" / "db",
        Kind.CACHE: docker / "data",
    }
    assert docker / "docker-compose.yml" in tree.settings


def test_a_checkout_with_everything_in_its_data_folder(tmp_path, machine):
    docker = stack(tmp_path / "mempool" / "docker")
    tree = find_tree(docker, machine=machine)
    assert found(tree)["mysql"] == ["data/mysql"]
    assert found(tree)["cache"] == ["data/cache"]


def test_a_price_job_alone_whatever_it_is_called(tmp_path, machine):
    job = price_job(tmp_path / "any-name")
    assert found(find_tree(job, machine=machine)) == {
        "database": [
            "data/utxoracle_cache.db",
            "data/backups/utxoracle_cache_2025-11-02.db",
            "data/backups/utxoracle_cache_2025-11-03.db",
        ],
        "logs": ["logs"],
    }


def test_a_price_job_within_a_stack(tmp_path, machine):
    root = stack(tmp_path / "stack")
    price_job(root / "utxoracle")
    assert {*found(find_tree(root, machine=machine))} == {*Kind} - {Kind.BITCOIN}


def test_what_another_application_has_beside_a_price_job_is_not_taken(tmp_path, machine):
    price_job(tmp_path / "apps" / "utxoracle")
    mysql_folder(tmp_path / "apps" / "nextcloud" / "mysql")
    assert "mysql" not in found(find_tree(tmp_path / "apps", machine=machine))


def test_a_checkout_of_the_price_job_is_known_by_its_script(tmp_path, machine):
    write(tmp_path / "apps" / "UTXOracle" / "scripts" / "daily_analysis.py", "")
    write(tmp_path / "apps" / "UTXOracle" / ".env", "LOG_LEVEL=INFO\n")
    tree = find_tree(apps(tmp_path / "apps"), machine=machine)
    assert tmp_path / "apps" / "UTXOracle" in tree.places
    assert tmp_path / "apps" / "UTXOracle" / ".env" in tree.settings


def test_a_checkout_on_another_disk_is_named(tmp_path, machine):
    job = price_job(tmp_path / "other" / "UTXOracle")
    tree = find_tree(stack(tmp_path / "stack"), also=[job], machine=machine)
    databases = [one.path for one in tree.found if one.kind is Kind.DATABASE]
    assert job / "data" / "utxoracle_cache.db" in databases
    assert job / ".env" in tree.settings
    assert job in tree.places


def test_the_log_of_a_database_goes_with_it_and_before_it(tmp_path, machine):
    job = price_job(tmp_path / "job")
    write(job / "data" / "utxoracle_cache.db.wal", b"log")
    names = [one.name.name for one in find_tree(job, machine=machine).found]
    assert names[:2] == ["utxoracle_cache.db.wal", "utxoracle_cache.db"]


def test_a_stray_database_in_a_temporary_folder_is_found(tmp_path, machine):
    plain = price_database(machine / "tmp" / "utxoracle_backup.duckdb")
    private = machine / "tmp" / "systemd-private-1-cron.service-2" / "tmp"
    hidden = price_database(private / "utxoracle_backup.duckdb")
    write(machine / "tmp" / "something.db", b"not ours")
    tree = find_tree(stack(tmp_path / "stack"), machine=machine)
    databases = [one.path for one in tree.found if one.kind is Kind.DATABASE]
    assert databases == [plain, hidden]


def test_a_stray_database_elsewhere_is_named_whatever_it_is_called(tmp_path, machine):
    stray = price_database(tmp_path / "elsewhere" / "prices.bin")
    tree = find_tree(stack(tmp_path / "stack"), also=[stray], machine=machine)
    assert [one.path for one in tree.found if one.kind is Kind.DATABASE] == [stray]


def test_settings_elsewhere_are_named(tmp_path, machine):
    also = [write(tmp_path / name, "A=1\n") for name in ("prod.env", "stack.yml", "x/.env")]
    tree = find_tree(stack(tmp_path / "stack"), also=also, machine=machine)
    assert tree.settings[-3:] == tuple(also)
    assert not any(one.kind is Kind.DATABASE for one in tree.found)


def test_a_folder_is_told_by_what_it_holds(tmp_path):
    assert kind_of(mysql_folder(tmp_path / "a")) is Kind.MYSQL
    assert kind_of(electrs_folder(tmp_path / "b")) is Kind.ELECTRS
    assert kind_of(electrs_folder(tmp_path / "c") / "mainnet") is Kind.ELECTRS
    assert kind_of(cache_folder(tmp_path / "d")) is Kind.CACHE
    write(tmp_path / "e" / "bitcoin" / "CURRENT", "MANIFEST-000001\n")
    assert kind_of(tmp_path / "e") is Kind.ELECTRS
    write(tmp_path / "f" / "blocks" / "blk00000.dat", b"")
    write(tmp_path / "f" / "chainstate" / "CURRENT", "MANIFEST-000001\n")
    assert kind_of(tmp_path / "f") is Kind.BITCOIN
    write(tmp_path / "g" / "mysql" / "user.frm", b"")
    assert kind_of(tmp_path / "g") is Kind.MYSQL
    mysql_folder(tmp_path / "h" / "mysql" / "data")
    assert kind_of(tmp_path / "h") is None, "a stack's folder is not MariaDB's"
    write(tmp_path / "i" / "CURRENT", "something else")
    assert kind_of(tmp_path / "i") is None


def test_two_folders_of_a_kind_are_a_choice(tmp_path, machine):
    root = stack(tmp_path / "stack")
    other = mysql_folder(root / "mysql" / "data")
    with pytest.raises(UsageError) as refused:
        find_tree(root, machine=machine)
    assert str(refused.value) == (
        f"there are 2 folders with mysql data, {root}/data/mysql and {other}: choose with "
        "--take mysql=FOLDER, or --take mysql=none"
    )
    tree = find_tree(root, chosen={Kind.MYSQL: other}, machine=machine)
    assert found(tree)["mysql"] == ["mysql/data"]
    assert "mysql" not in found(find_tree(root, chosen={Kind.MYSQL: None}, machine=machine))
    with pytest.raises(UsageError, match="cache is no folder with mysql data of the tree"):
        find_tree(root, chosen={Kind.MYSQL: root / "data" / "cache"}, machine=machine)


def test_logs_are_left_out_or_chosen_as_data_is(tmp_path, machine):
    root = apps(tmp_path / "apps")
    tree = find_tree(root, chosen={Kind.LOGS: None}, machine=machine)
    assert "logs" not in found(tree)
    job = price_job(tmp_path / "UTXOracle")
    with pytest.raises(UsageError, match="there are 2 folders with logs data"):
        find_tree(root, also=[job], machine=machine)


def test_a_link_to_another_disk_is_followed_and_named(tmp_path, machine):
    root = stack(tmp_path / "stack")
    (root / "data" / "mysql").rename(tmp_path / "mysql-on-another-disk")
    (root / "data" / "mysql").symlink_to(tmp_path / "mysql-on-another-disk")
    (one,) = [one for one in find_tree(root, machine=machine).found if one.kind is Kind.MYSQL]
    assert one.path == tmp_path / "mysql-on-another-disk"
    assert one.name == root / "data" / "mysql"


def test_what_is_not_taken_is_named_with_the_reason(tmp_path, machine):
    root = apps(tmp_path / "apps")
    write(root / "mempool-stack" / "README.md", "")
    write(root / "mempool-stack" / "data" / "grafana" / "grafana.db", "")
    write(root / "utxoracle" / "data" / "whales.csv", "")
    write(root / "other-app" / "file", "")
    (root / "mempool-stack" / "data" / "electrs").rename(root / "elsewhere")
    write(root / "mempool-stack" / "data" / "electrs" / "junk", "")
    left = {
        (os.path.relpath(one.folder, root), one.reason): one.names
        for one in find_tree(root, machine=machine).left
    }
    assert left == {
        ("mempool-stack", TRANSLATED): (".env", "docker-compose.yml"),
        ("mempool-stack", UNREAD): ("README.md",),
        ("mempool-stack/data", UNREAD): ("grafana",),
        ("mempool-stack/data", "it holds no data of electrs"): ("electrs",),
        ("utxoracle", TRANSLATED): (".env",),
        ("utxoracle/data", UNREAD): ("whales.csv",),
    }


def test_what_was_not_looked_into_is_not_said_to_hold_nothing(tmp_path, machine):
    root = stack(tmp_path / "stack")
    (root / "data" / "mysql").rename(tmp_path / "mysql")
    deep = root / "data" / "mysql" / "a" / "b"
    deep.mkdir(parents=True)
    (tmp_path / "mysql").rename(deep / "c")
    write(root / "node_modules" / "package.json", "")
    tree = find_tree(root, machine=machine)
    assert "mysql" not in found(tree)
    assert {(left.folder.name, left.reason): left.names for left in tree.left} == {
        ("stack", TRANSLATED): (".env", "docker-compose.yml"),
        ("stack", UNSEEN): ("node_modules",),
        ("data", UNSEEN): ("mysql",),
    }


def test_what_is_ours_in_the_same_place_is_passed_over(tmp_path, machine):
    base = apps(tmp_path / "apps", name="mempool")
    write(base / "utxoracle" / "data" / "utxoracle_snapshot.db", b"")
    write(base / "mempool" / "config" / "secrets" / "password", b"")
    tree = find_tree(base, ours=ours(base), machine=machine)
    assert "database" not in found(tree)
    assert not any(one.folder.name in ("config", "secrets", "data") for one in tree.left)


def test_a_copy_that_is_not_whole_is_passed_over(tmp_path, machine):
    root = stack(tmp_path / "stack")
    mysql_folder(root / "data" / "mysql.in-progress")
    assert found(find_tree(root, machine=machine))["mysql"] == ["data/mysql"]


def test_an_empty_folder_holds_nothing(tmp_path, machine):
    (tmp_path / "empty" / "data" / "mysql").mkdir(parents=True)
    tree = find_tree(tmp_path / "empty", machine=machine)
    assert (tree.found, tree.left) == ((), ())


def test_a_folder_that_is_not_there_is_told(tmp_path, machine):
    with pytest.raises(UsageError, match="not/there is not there: name the old folder"):
        find_tree(tmp_path / "not" / "there", machine=machine)
    with pytest.raises(UsageError, match="stray is not there"):
        find_tree(tmp_path, also=[tmp_path / "stray"], machine=machine)


@pytest.mark.parametrize("above", ["old", "old/prod"])
@pytest.mark.parametrize("name", ["mempool", "mempool-stack"])
def test_a_folder_above_the_right_one_is_refused_and_the_right_one_named(
    tmp_path, machine, above, name
):
    root = apps(tmp_path / "old" / "prod" / "apps", name=name)
    # Not so deep that a part of it isn't met.
    (root / name / "data" / "cache").rename(root / name / "cache")
    with pytest.raises(UsageError) as refused:
        find_tree(tmp_path / above, machine=machine)
    assert str(refused.value) == (
        f"{tmp_path}/{above} is only above the folder that is meant: name {root}"
    )


def test_a_folder_above_several_right_ones_names_them(tmp_path, machine):
    for name in ("one", "two"):
        price_job(tmp_path / "old" / name / "utxoracle")
    with pytest.raises(UsageError, match=r"name .*/old/one or .*/old/two$"):
        find_tree(tmp_path / "old", machine=machine)


@pytest.mark.parametrize("what", ["docker-compose.yml", "data/mysql/ibdata1"])
def test_a_stack_may_have_a_price_job_far_below_it(tmp_path, machine, what):
    write(tmp_path / "stack" / what, "")
    price_job(tmp_path / "stack" / "backup" / "utxoracle")
    tree = find_tree(tmp_path / "stack", machine=machine)
    assert tmp_path / "stack" / what in (
        *tree.settings,
        *(one.path / "ibdata1" for one in tree.found),
    )


@pytest.mark.skipif(os.geteuid() != 0, reason="the folder must be another user's")
def test_what_is_closed_may_be_the_data_of_a_stack_above_a_price_job(open_folder):
    mysql_folder(open_folder / "stack" / "data" / "mysql").chmod(0o700)
    price_job(open_folder / "stack" / "backup" / "utxoracle")
    with ordinary_user():
        tree = find_tree(open_folder / "stack", machine=open_folder)
    assert tree.closed == (open_folder / "stack" / "data" / "mysql",)


@pytest.mark.skipif(os.geteuid() != 0, reason="the folder must be another user's")
def test_a_folder_that_this_user_may_not_look_into_is_named(open_folder):
    root = stack(open_folder / "stack")
    (root / "data" / "mysql").chmod(0o700)
    (open_folder / "tmp").mkdir()
    with ordinary_user():
        tree = find_tree(root, machine=open_folder)
    assert tree.closed == (root / "data" / "mysql",)
    assert "mysql" not in found(tree)
