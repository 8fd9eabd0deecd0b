import json
import re

import pytest

from tests.nix.golden import (
    BASE,
    GOLDEN,
    HERE,
    REFUSED,
    SOURCES,
    cases,
    checksums,
    evaluated,
    kept,
    refusals,
    refused,
)
from tests.nix.library import EvaluationFailed, evaluate, library, revision
from tests.nix.options import PAGE, page

AGAIN = "python -m tests.nix.golden"


def test_the_golden_files_are_of_these_sources():
    found = "".join(SOURCES.read_text().splitlines(keepends=True)[:2])
    assert found == checksums(), f"the sources or the golden files were changed: {AGAIN}"


def test_the_golden_files_tell_the_commit_of_the_library():
    assert re.fullmatch(r"library [0-9a-f]{40}", SOURCES.read_text().splitlines()[2])


def test_there_are_golden_files_of_each_configuration_and_no_others():
    assert [*cases()] == sorted(path.name for path in GOLDEN.iterdir() if path.is_dir())
    assert BASE in cases() and len(cases()) >= 12


@pytest.mark.usefixtures("evaluating")
@pytest.mark.parametrize("case", cases())
def test_the_module_makes_the_golden_files(case):
    assert evaluated(case) == kept(case)


@pytest.mark.usefixtures("evaluating")
def test_the_golden_files_are_of_this_library():
    assert SOURCES.read_text().splitlines()[2] == f"library {revision(library())}"


@pytest.mark.usefixtures("evaluating")
def test_the_page_of_options_is_made_of_the_module():
    assert PAGE.read_text() == page()


@pytest.mark.parametrize("name", refused())
def test_a_wrong_configuration_is_refused_with_a_sentence_that_helps(name):
    text = (HERE / "refused" / f"{name}.nix").read_text()
    wanted = json.loads(re.search(r'message = ("(?:[^"\\]|\\.)*")', text)[1])
    said = REFUSED.read_text().split(f"# {name}\n")[1].split("\n\n# ")[0].strip()
    assert wanted in said
    # One mistake, one message.
    assert " | " not in said


@pytest.mark.usefixtures("evaluating")
@pytest.mark.parametrize("name", refused())
def test_the_module_says_what_is_kept_of_a_wrong_configuration(name):
    (said,) = refusals(name)
    assert f"# {name}\n{said}\n\n" in REFUSED.read_text()


@pytest.mark.usefixtures("evaluating")
@pytest.mark.parametrize(
    ("setting", "reason"),
    [
        ('network = "liquid";', "is not of type"),
        ('storage.base = "/mnt/nvme/my prices";', "is not of type"),
        ('storage.base = "/mnt/nvme/";', "is not of type"),
        ('bitcoin.rpc.user = "a&b";', "is not of type"),
        ('mempool.network.bridge = "a-name-that-is-too-long";', "is not of type"),
        ("settings.UTXORACLE_SOURCE = [ ];", "is not of type"),
        ('api.address = "localhost";', "is not of type"),
        ('api.allow = [ "192.168.1.*" ];', "is not of type"),
        ('mempool.network.prefix = "300.1.1";', "is not of type"),
        ('storage.device = "LABEL=nvme";', "is not of type"),
        ('settings.UTXORACLE_DATA_DIR = "/elsewhere";', "conflicting definition values"),
        ("storage.paths.data = 1;", "read-only"),
        ('bitcon.rpc.host = "x";', "does not exist"),
    ],
)
def test_what_no_option_takes_is_refused_by_its_type(setting, reason, tmp_path):
    module = tmp_path / "module.nix"
    module.write_text(
        f"{{ imports = [ {HERE / 'cases' / 'minimal.nix'} ]; services.utxoracle.{setting} }}"
    )
    with pytest.raises(EvaluationFailed, match=reason):
        evaluate(module, attribute="rendered")


@pytest.mark.usefixtures("evaluating")
def test_nothing_is_made_where_it_is_not_enabled(tmp_path):
    module = tmp_path / "module.nix"
    module.write_text("{ }")
    found = evaluate(module, attribute="rendered")
    assert not any(found[name] for name in ("units", "etc", "commands", "users", "warnings"))
