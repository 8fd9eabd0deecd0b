import pytest

from utxoracle.sources.endpoint import parse_endpoint


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.1.2.3",
        "127.1",
        "0x7f.1",
        "0177.0.0.1",
        "2130706433",
        "0.0.0.0",
        "0",
        "[::1]",
        "[::]",
        "[0:0:0:0:0:0:0:1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:0.0.0.0]",
        "localhost",
        "LocalHost.",
        "node.localhost",
        "node.localhost.",
    ],
)
def test_this_machine_is_known_by_all_its_names(host):
    assert parse_endpoint(f"http://{host}:1").loopback


@pytest.mark.parametrize(
    "host",
    [
        "10.0.0.1",
        "10.1",
        "128.0.0.1",
        "0.0.0.1",
        "[::2]",
        "[::ffff:10.0.0.1]",
        "[fe80::1]",
        "example.org",
        "localhost.example.org",
        "notlocalhost",
        "127.0.0.1.example.org",
        "127.0.0.256",
        "ä",
        "\udcff",
    ],
)
def test_other_machines_are_not_taken_for_it(host):
    assert not parse_endpoint(f"http://{host}:1").loopback


def test_credentials_of_a_url_are_decoded_and_kept_out_of_sight():
    endpoint = parse_endpoint("https://us%40er:p%2Fw%3A@Host.example:443/a/b/")
    assert endpoint.credentials == ("us@er", "p/w:")
    assert endpoint.base == "https://host.example:443/a/b"
    assert "p/w" not in repr(endpoint)
    assert parse_endpoint("http://[::1]:8332").base == "http://[::1]:8332"
