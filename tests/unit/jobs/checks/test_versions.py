import duckdb
import pytest

from utxoracle import __version__
from utxoracle.jobs.checks import versions
from utxoracle.jobs.health import CheckStatus


def test_all_versions_are_told():
    told = versions.versions()
    assert told.status == CheckStatus.OK
    assert told.detail.startswith(f"utxoracle {__version__}, Python 3.")
    assert f"duckdb {duckdb.__version__}, falcon " in told.detail
    assert told.detail.endswith("schema 2")


def test_a_package_that_is_missing_fails(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(versions, "_PACKAGES", ("duckdb", "no-such-package"))
    told = versions.versions()
    assert told.status == CheckStatus.ERROR
    assert told.detail == "the package no-such-package is missing: install utxoracle anew"
