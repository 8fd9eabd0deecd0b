import re
from dataclasses import fields
from pathlib import Path

import pytest

from utxoracle.errors import UsageError
from utxoracle.settings import Settings, variable_of


def test_an_empty_environment_gives_the_defaults():
    assert Settings.from_environment({}) == Settings()


def test_each_setting_is_read_from_its_variable_as_its_own_type():
    settings = Settings.from_environment(
        {
            "UTXORACLE_SOURCE": "files:blocks",
            "UTXORACLE_READ_TIMEOUT": "2.5",
            "UTXORACLE_WORKERS": "3",
            "UTXORACLE_RPC_PASSWORD_FILE": "/run/secret",
        }
    )
    assert settings.source == "files:blocks"
    assert settings.read_timeout == 2.5
    assert settings.workers == 3
    assert settings.rpc_password_file == Path("/run/secret")


def test_an_empty_variable_counts_as_not_set():
    assert Settings.from_environment({"UTXORACLE_WORKERS": "  "}) == Settings()


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("UTXORACLE_WORKERS", "two"),
        ("UTXORACLE_WORKERS", "-1"),
        ("UTXORACLE_READ_TIMEOUT", "soon"),
        ("UTXORACLE_READ_TIMEOUT", "0"),
        ("UTXORACLE_CONNECT_TIMEOUT", "nan"),
        ("UTXORACLE_CONNECT_TIMEOUT", "inf"),
        ("UTXORACLE_READ_TIMEOUT", "1e300"),
        ("UTXORACLE_RETRIES", "11"),
    ],
)
def test_a_value_that_can_not_work_is_refused_by_the_name_of_its_variable(variable, value):
    with pytest.raises(UsageError, match=variable):
        Settings.from_environment({variable: value})


def test_the_network_is_main_unless_the_source_is_simulated():
    assert Settings(source="files:blocks").network_name() == "main"
    assert Settings(source="sim:").network_name() == "regtest"
    assert Settings(source="files:blocks", network="signet").network_name() == "signet"


def test_a_simulated_source_on_another_network_is_refused():
    with pytest.raises(UsageError, match="regtest"):
        Settings(source="sim:days=1", network="main").network_name()


def test_every_setting_has_a_variable_of_its_own_and_a_description():
    variables = [variable_of(setting.name) for setting in fields(Settings)]
    assert len(set(variables)) == len(variables)
    assert all(variable.startswith("UTXORACLE_") for variable in variables)
    assert all(setting.metadata["help"] for setting in fields(Settings))


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("UTXORACLE_API_TOKEN", "is UTXORACLE_API_TOKEN_FILE meant?"),
        ("UTXORACLE_SUORCE", "is UTXORACLE_SOURCE meant?"),
        ("UTXORACLE_XYZZY_PLUGH", "see docs/usage.md"),
    ],
)
def test_a_misspelt_setting_is_refused(name, told):
    with pytest.raises(UsageError, match=re.escape(f"there is no setting {name}")) as caught:
        Settings.from_environment({name: "x"})
    assert told in str(caught.value)


def test_what_is_for_tests_or_for_other_programs_is_no_setting():
    Settings.from_environment({"UTXORACLE_TEST_KILLS": "5", "XUTXORACLE_SOURCE": "x"})
