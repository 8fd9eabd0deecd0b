"""Which interface of the server that is played a request goes to."""

from dataclasses import dataclass
from time import monotonic

from utxoracle.simulation.answers import Answer, Request
from utxoracle.simulation.bitcoind_rest import NO_SUCH_ROUTE, REST_PREFIX, RestRoutes
from utxoracle.simulation.bitcoind_rpc import RpcRoutes
from utxoracle.simulation.electrs import ElectrsRoutes
from utxoracle.simulation.mempool import FRONT_END_PREFIX, PREFIX, MempoolRoutes, no_such_route
from utxoracle.simulation.role import Role
from utxoracle.simulation.routes import Interface, NoRoutes
from utxoracle.simulation.view import ChainView, ReadBlock

FRONT_PAGE = Answer(200, "text/html", b"<html><title>mempool</title></html>\n")


@dataclass(frozen=True)
class Player:
    """Finds the interface for each request to a server.

    Attributes:
        role: What the server plays.
        credentials: The `user:password` pairs that may call JSON-RPC; with none, everybody may.
        rest: Whether a bitcoind has `rest=1`.
        started: When the server started, on the monotonic clock.
    """

    role: Role
    credentials: tuple[str, ...]
    rest: bool
    started: float

    def interface(self, request: Request, view: ChainView, read_block: ReadBlock) -> Interface:
        """Return what answers a request from `view`, with blocks that `read_block` gives."""
        if self.role is Role.ELECTRS:
            return ElectrsRoutes(view, read_block)
        if self.role in (Role.ALL, Role.BITCOIND):
            if request.method == "POST" and request.path == "/":
                uptime = int(monotonic() - self.started)
                return RpcRoutes(view, read_block, self.credentials, uptime)
            if request.path.startswith(REST_PREFIX) and request.method != "POST":
                return RestRoutes(view, read_block) if self.rest else NoRoutes(NO_SUCH_ROUTE)
        if self.role is Role.BITCOIND:
            return NoRoutes(NO_SUCH_ROUTE)
        return self._mempool(request, view, read_block)

    def _mempool(self, request: Request, view: ChainView, read_block: ReadBlock) -> Interface:
        has_front_end = self.role in (Role.ALL, Role.FRONTEND)
        prefix = FRONT_END_PREFIX if has_front_end else PREFIX
        if request.path.startswith(prefix + "/") and request.path != FRONT_END_PREFIX + "/":
            if request.method == "POST":
                return NoRoutes(no_such_route(request.method, request.path))
            return MempoolRoutes(
                view,
                read_block,
                has_front_end=has_front_end,
                is_esplora=self.role is Role.ESPLORA,
            )
        if self.role is Role.FRONTEND:
            return NoRoutes(FRONT_PAGE)
        return NoRoutes(no_such_route(request.method, request.path))
