import json

import pytest
from click.testing import CliRunner

from utxoracle.cli import doctor as module
from utxoracle.cli.doctor import doctor_command
from utxoracle.jobs.doctor import Finding
from utxoracle.jobs.health import Check, CheckStatus

WELL = Finding("storage", "disk", Check(CheckStatus.OK, "it is there"))
LOOK = Finding("storage", "free space", Check(CheckStatus.WARNING, "little: make room"))
FAILED = Finding("runs", "run", Check(CheckStatus.ERROR, "it failed: see its log"))
UNKNOWN = Finding("machine", "clock", Check(CheckStatus.UNKNOWN, "nobody tells"))


@pytest.fixture
def doctor(monkeypatch):
    """Run the command on what checks have found."""

    def run(found, *arguments, charset="utf-8"):
        monkeypatch.setattr(module, "doctor", lambda settings: found)
        return CliRunner(charset=charset).invoke(doctor_command, arguments)

    return run


def test_each_check_is_a_line_with_a_mark_below_its_group(doctor):
    done = doctor([WELL, LOOK, FAILED, UNKNOWN])
    assert done.output == (
        "storage\n"
        "  ✔ disk        it is there\n"
        "  ! free space  little: make room\n"
        "\n"
        "runs\n"
        "  ✘ run         it failed: see its log\n"
        "\n"
        "machine\n"
        "  ? clock       nobody tells\n"
        "\n"
        "4 checks: ✔ 1 well, ! 1 to look at, ✘ 1 failed, ? 1 not known\n"
    )


def test_only_a_failure_is_exit_code_1(doctor):
    assert doctor([WELL, LOOK, UNKNOWN]).exit_code == 0
    assert doctor([WELL, LOOK, UNKNOWN], "--json").exit_code == 0
    assert doctor([WELL, FAILED]).exit_code == 1
    assert doctor([WELL, FAILED], "--json").exit_code == 1


def test_a_terminal_without_the_marks_gets_others(doctor):
    done = doctor([WELL, FAILED, LOOK, UNKNOWN], charset="ascii")
    assert [line.split()[0] for line in done.output.splitlines() if line.startswith("  ")] == [
        *"+x!?"
    ]
    assert done.output.isascii()


def test_json_is_an_array_of_all_checks(doctor):
    assert json.loads(doctor([WELL, FAILED], "--json").output) == [
        {"group": "storage", "name": "disk", "status": "ok", "detail": "it is there"},
        {"group": "runs", "name": "run", "status": "error", "detail": "it failed: see its log"},
    ]


def test_the_whole_checklist_runs(tmp_path):
    done = CliRunner().invoke(
        doctor_command,
        ["--data-dir", str(tmp_path / "data"), "--source", "sim:days=1", "--json"],
        env={"UTXORACLE_API_PORT": "0"},
    )
    assert done.exit_code == 1
    found = {one["name"]: one["status"] for one in json.loads(done.output)}
    assert (found["disk"], found["sim:days=1"], found["versions"]) == ("error", "ok", "ok")
