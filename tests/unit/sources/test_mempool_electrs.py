"""A back end in esplora mode, which leaves blocks to electrs, and electrs by itself."""

import pytest

from tests.unit.sources.scripted import Asked, Reply, ScriptedServer, as_json, page, text
from utxoracle.errors import BlockNotFound, SourceError
from utxoracle.settings import Settings
from utxoracle.sources.factory import open_source

INFO = as_json({"hostname": "x", "version": "3.4-dev", "gitCommit": "?", "backend": "esplora"})
OLD_INFO = as_json({"hostname": "x", "version": "2.5.0", "gitCommit": "?"})
TIP = 805


def no_such_endpoint(asked: Asked) -> Reply:
    return text(f'endpoint does not exist "{asked.path}"', 404, "text/plain")


def not_found() -> Reply:
    return text("Block not found", 404, "text/plain")


@pytest.fixture
def electrs(chain):
    """electrs with blocks 804 and 805, which it sends without a charset."""
    with ScriptedServer() as one:
        for base in ("/api/v1", "/api"):
            one.replies[f"{base}/blocks/tip/hash"] = no_such_endpoint
        for height in (TIP - 1, TIP):
            block_hash = chain.hash_at(height)
            one.replies[f"/block-height/{height}"] = text(block_hash, 200, "text/plain")
            one.replies[f"/block/{block_hash}"] = Reply(
                200, "application/json", b'{"id":"%s","height":%d}' % (block_hash.encode(), height)
            )
            header = chain.header(height).hex()
            one.replies[f"/block/{block_hash}/header"] = text(header, 200, "text/plain")
            raw = Reply(200, "application/octet-stream", chain.raw_block(height))
            one.replies[f"/block/{block_hash}/raw"] = raw
        one.replies["/blocks/tip/hash"] = text(chain.hash_at(TIP), 200, "text/plain")
        yield one


@pytest.fixture
def back_end(server):
    """A back end that tells of itself, and of no block."""
    server.replies["/api/v1/backend-info"] = INFO
    return server


@pytest.fixture
def opened(request):
    """Opens a source, which is closed after the test."""

    def open_it(server, electrs=None, path="", **changes):
        electrs_url = electrs if isinstance(electrs, str) else electrs and electrs.url
        settings = Settings(retries=0, electrs_url=electrs_url, **changes)
        source = open_source(f"mempool+{server.url}{path}", settings)
        request.addfinalizer(source.close)
        return source

    return open_it


def assert_serves_blocks(source, chain):
    assert source.tip_hash() == chain.hash_at(TIP)
    assert source.tip() == (TIP, chain.hash_at(TIP))
    block_hash = source.hash_at(TIP - 1)
    assert block_hash == chain.hash_at(TIP - 1)
    assert source.header(block_hash) == chain.header(TIP - 1)
    assert source.raw_block(block_hash) == chain.raw_block(TIP - 1)


@pytest.mark.parametrize("info", [INFO, OLD_INFO])
def test_a_back_end_in_esplora_mode_has_its_blocks_asked_of_electrs(
    back_end, electrs, opened, chain, info
):
    back_end.replies["/api/v1/backend-info"] = info
    source = opened(back_end, electrs)
    assert_serves_blocks(source, chain)
    assert source.name == f"mempool {back_end.place}"
    assert source.route == f"electrs {electrs.place}"
    assert [path.removeprefix("/api/v1") for path in back_end.paths] == [
        "/blocks/tip/hash",
        "/api/blocks/tip/hash",
        "/blocks/tip/hash",
        "/backend-info",
    ]


def test_a_front_end_of_such_a_back_end_has_them_asked_of_electrs_too(
    back_end, electrs, opened, chain
):
    back_end.replies["/blocks/tip/hash"] = page()
    assert_serves_blocks(opened(back_end, electrs), chain)


def test_a_reverse_proxy_with_a_path_before_such_a_back_end_is_no_hindrance(
    server, electrs, opened, chain
):
    server.replies["/my/node/api/v1/backend-info"] = INFO
    assert_serves_blocks(opened(server, electrs, "/my/node"), chain)


@pytest.mark.parametrize("root", [page(), page(404)])
def test_without_an_electrs_it_is_said_which_setting_names_it(back_end, opened, root):
    back_end.replies["/blocks/tip/hash"] = root
    with pytest.raises(SourceError) as error:
        opened(back_end).tip_hash()
    assert str(error.value) == (
        f"mempool {back_end.place} leaves blocks to electrs (BACKEND=esplora): set "
        "UTXORACLE_ELECTRS_URL to the address of its REST server, such as http://127.0.0.1:3000"
    )


def test_a_back_end_that_serves_blocks_is_asked_for_them_though_there_is_an_electrs(
    back_end, electrs, opened, chain
):
    back_end.replies |= {f"/api/v1{path}": reply for path, reply in electrs.replies.items()}
    source = opened(back_end, electrs)
    assert_serves_blocks(source, chain)
    assert source.route == "/api/v1"
    assert electrs.paths == []


def test_a_server_that_is_no_back_end_is_not_replaced_by_electrs(server, electrs, opened):
    with pytest.raises(SourceError, match="is not a mempool server"):
        opened(server, electrs).tip_hash()
    assert electrs.paths == []


def test_a_remembered_electrs_is_the_only_one_asked_and_once(back_end, electrs, opened, chain):
    source = opened(back_end, electrs)
    source.route = f"electrs {electrs.place}"
    assert source.route == f"electrs {electrs.place}"
    assert source.tip_hash() == chain.hash_at(TIP)
    assert electrs.paths == ["/blocks/tip/hash"]
    assert back_end.paths == []
    assert source.route == f"electrs {electrs.place}"


@pytest.mark.parametrize("configured", [None, "http://127.0.0.1:1"])
def test_a_remembered_electrs_that_is_not_the_configured_one_is_forgotten(
    back_end, electrs, opened, configured
):
    source = opened(back_end, configured)
    source.route = f"electrs {electrs.place}"
    assert source.route is None


def test_a_remembered_electrs_that_fails_is_given_up_for_a_back_end_that_serves(
    back_end, electrs, opened, chain
):
    back_end.replies["/api/v1/blocks/tip/hash"] = text(chain.hash_at(TIP))
    electrs.replies["/blocks/tip/hash"] = text("busy", 503)
    source = opened(back_end, electrs)
    source.route = f"electrs {electrs.place}"
    assert source.tip_hash() == chain.hash_at(TIP)
    assert source.route == "/api/v1"


@pytest.mark.parametrize("remembered", [True, False])
def test_an_electrs_that_fails_is_asked_once(back_end, electrs, opened, remembered):
    electrs.replies["/blocks/tip/hash"] = text("busy", 503)
    source = opened(back_end, electrs)
    if remembered:
        source.route = f"electrs {electrs.place}"
    with pytest.raises(SourceError, match=f"^electrs {electrs.place} is up but .*503 busy"):
        source.tip_hash()
    assert electrs.paths == ["/blocks/tip/hash"]


@pytest.mark.parametrize("remembered", [True, False])
def test_an_electrs_that_is_down_is_named(back_end, opened, closed_port, remembered):
    source = opened(back_end, f"http://me:hunter2@127.0.0.1:{closed_port}")
    if remembered:
        source.route = f"electrs 127.0.0.1:{closed_port}"
    place = f"127.0.0.1:{closed_port}"
    with pytest.raises(SourceError, match=f"^electrs {place} refused the connection") as error:
        source.tip()
    assert "hunter2" not in str(error.value)


def test_what_is_no_electrs_is_told_by_its_name(back_end, electrs, opened):
    electrs.replies["/blocks/tip/hash"] = page()
    with pytest.raises(SourceError, match=f"^electrs {electrs.place} gave '<!DOCTYPE html>"):
        opened(back_end, electrs).tip()


def test_a_block_that_electrs_lacks_is_not_found(back_end, electrs, opened, chain):
    unknown = "ab" * 32
    for path in (f"/block-height/{TIP + 1}", f"/block/{unknown}/raw", f"/block/{unknown}/header"):
        electrs.replies[path] = not_found()
    source = opened(back_end, electrs)
    with pytest.raises(
        BlockNotFound, match=f"^electrs {electrs.place} has no block 806; its newest is 805"
    ):
        source.hash_at(TIP + 1)
    for ask in (source.header, source.raw_block):
        with pytest.raises(BlockNotFound, match=f"^electrs .* no block {unknown} .404 Block not f"):
            ask(unknown)


def test_a_tip_that_electrs_drops_in_a_reorganisation_is_asked_for_again(
    back_end, electrs, opened, chain
):
    dropped, found = chain.hash_at(TIP - 1), chain.hash_at(TIP)
    electrs.replies["/blocks/tip/hash"] = [text(dropped), text(dropped), text(found)]
    electrs.replies[f"/block/{dropped}"] = not_found()
    source = opened(back_end, electrs)
    source.tip_hash()
    assert source.tip() == (TIP, found)


def test_each_server_is_sent_its_own_credentials(back_end, electrs, opened, chain):
    source = opened(back_end, electrs.url.replace("//", "//me:secret@"))
    assert_serves_blocks(source, chain)
    assert all("Authorization" in asked.headers for asked in electrs.asked)
    assert not any("Authorization" in asked.headers for asked in back_end.asked)


def test_electrs_serves_blocks_at_its_root_as_a_source_of_its_own(electrs, opened, chain):
    source = opened(electrs)
    assert_serves_blocks(source, chain)
    assert source.route == "/"
    assert source.name == f"mempool {electrs.place}"


@pytest.mark.parametrize("route", ["raw", "header"])
def test_an_electrs_without_a_route_is_called_old_and_not_pruned(electrs, opened, chain, route):
    block_hash = chain.hash_at(TIP)
    electrs.replies[f"/block/{block_hash}/{route}"] = no_such_endpoint
    source = opened(electrs)
    with pytest.raises(SourceError, match=r"has no such route .*: is it an old electrs") as caught:
        (source.raw_block if route == "raw" else source.header)(block_hash)
    assert type(caught.value) is SourceError


def test_a_closed_source_leaves_no_connection(back_end, electrs, opened):
    source = opened(back_end, electrs)
    source.tip_hash()
    source.tip_hash()
    source.close()
    source.tip_hash()
    ports = [asked.client_port for asked in electrs.asked]
    assert ports[0] == ports[1] != ports[2]
