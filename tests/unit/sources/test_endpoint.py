from utxoracle.sources.endpoint import parse_endpoint


def test_only_this_machine_counts_as_this_machine():
    for host in ("127.0.0.1", "127.1.2.3", "[::1]", "localhost", "node.localhost"):
        assert parse_endpoint(f"http://{host}:1").loopback
    for host in ("10.0.0.1", "example.org", "localhost.example.org"):
        assert not parse_endpoint(f"http://{host}:1").loopback


def test_credentials_of_a_url_are_decoded_and_kept_out_of_sight():
    endpoint = parse_endpoint("https://us%40er:p%2Fw%3A@Host.example:443/a/b/")
    assert endpoint.credentials == ("us@er", "p/w:")
    assert endpoint.base == "https://host.example:443/a/b"
    assert "p/w" not in repr(endpoint)
    assert parse_endpoint("http://[::1]:8332").base == "http://[::1]:8332"
