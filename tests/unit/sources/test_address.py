import pytest

from utxoracle.sources.address import split_user


@pytest.mark.parametrize(
    ("address", "user", "rest"),
    [
        ("http://host:1/path", "", "http://host:1/path"),
        ("http://u:p@host:1/path", "u:p", "http://host:1/path"),
        ("HTTP://u:p@host", "u:p", "HTTP://host"),
        ("mempool+http://u:p/@w@host", "u:p/@w", "mempool+http://host"),
        ("mempool+http:u:p@host", "u:p", "mempool+http:host"),
        ("//u:p@host/", "u:p", "//host/"),
        ("://u:p@host", "://u:p", "host"),
        ("http://u:p\nq@host", "u:p\nq", "http://host"),
        ("", "", ""),
    ],
)
def test_the_user_is_all_between_the_scheme_and_the_last_at(address, user, rest):
    assert split_user(address) == (user, rest)
