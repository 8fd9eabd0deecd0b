"""A server that plays bitcoind, the mempool stack and electrs over a simulated chain."""

from collections.abc import Sequence
from pathlib import Path
from threading import TIMEOUT_MAX, Event, Lock, Thread
from time import monotonic
from types import TracebackType

from utxoracle.errors import StorageError, UsageError
from utxoracle.simulation.answers import Answer, Request
from utxoracle.simulation.chain import SimulatedChain
from utxoracle.simulation.control import CONTROL_PREFIX, ControlRoutes, RequestLog
from utxoracle.simulation.cookie import Cookie
from utxoracle.simulation.faults import Fault, Faults, Kind
from utxoracle.simulation.http import listen, place_of
from utxoracle.simulation.player import Player
from utxoracle.simulation.role import Role
from utxoracle.simulation.spoil import spoilt_answer, spoilt_view, with_flipped_witness
from utxoracle.simulation.view import BlockPlace, NodeState, ReadBlock, ServedChain

LOOPBACK = "127.0.0.1"


class SimulationServer:
    """Serves a chain on one port, in a thread of its own; use it as a context manager.

    `GET /simulation/tip` tells the tip and `POST /simulation/tip` moves it, with
    `{"height": N}` or `{"by": 1}`. `POST /simulation/fork` with `{"height": H, "tip": T}` does
    what `fork` does. `POST /simulation/requests` tells all requests since it was last asked, the
    oldest first and at most the 10,000 newest, without those below `/simulation/`. `GET
    /simulation/faults` tells the faults that are left, and `POST /simulation/faults` with
    `{"faults": ["half@block*2"]}` does what `set_faults` does.

    Args:
        chain: What to serve.
        host: Address to listen on.
        port: Port to listen on; 0 takes a free one.
        tip: Height of the newest block to show at first; the chain's own when not given.
        user: User name that JSON-RPC wants; without it and a cookie, everybody may call.
        password: The password of `user`.
        cookie_file: Where to write a fresh cookie, as bitcoind does; removed by `close`. Only
            another cookie is written over.
        rest: Whether to answer below `/rest`, which bitcoind only does with rest=1.
        delay: Seconds that each raw block takes to be read, as from a busy server.
        role: What to play.
        node: In which state the node is.
        faults: What goes wrong, each as `KIND[@STEP][*TIMES]`; see `set_faults`.

    Attributes:
        url: `http://host:port`.
        role: What it plays.

    Raises:
        UsageError: The address can't be listened on, the chain has no block at `tip`, there is
            no such fault, or `delay` can't be waited for.
        StorageError: `cookie_file` holds something else, or can't be written.
    """

    def __init__(
        self,
        chain: SimulatedChain,
        host: str = LOOPBACK,
        port: int = 0,
        *,
        tip: int | None = None,
        user: str | None = None,
        password: str | None = None,
        cookie_file: Path | None = None,
        rest: bool = True,
        delay: float = 0.0,
        role: Role = Role.ALL,
        node: NodeState | None = None,
        faults: Sequence[str] = (),
    ) -> None:
        # Written this way round so that NaN is refused too.
        if not 0 <= delay <= TIMEOUT_MAX:
            raise UsageError(f"no block can be sent after {delay} seconds: give another delay")
        self._served = ServedChain(chain, tip, node)
        self._log = RequestLog()
        self._faults = Faults(map(Fault.parse, faults))
        self._faults_lock = Lock()
        self._control = ControlRoutes(self._served, self._log, self)
        self._delay = delay
        self._closing = Event()
        self._thread: Thread | None = None
        credentials = [] if user is None else [f"{user}:{password or ''}"]
        self._cookie = None if cookie_file is None else Cookie(cookie_file)
        self._server = listen(host, port)
        if self._cookie:
            try:
                self._cookie.write()
            except StorageError:
                self._server.server_close()
                raise
            credentials.append(self._cookie.content)
        self.role = role
        self._player = Player(role, tuple(credentials), rest, monotonic())
        self._server.answer = self._answer
        self.url = f"http://{place_of(host, self._server.server_address[1])}"

    @property
    def tip(self) -> int:
        """Height of the newest block that is shown; those above are unknown to every route.

        Raises:
            UsageError: It is set to a height where the chain has no block.
        """
        return self._served.view.tip

    @tip.setter
    def tip(self, height: int) -> None:
        self._served.move_tip(height)

    def advance_tip(self, blocks: int) -> None:
        """Show so many more blocks.

        Raises:
            UsageError: The chain has no block there.
        """
        self._served.advance_tip(blocks)

    def fork(self, height: int, tip: int) -> None:
        """Serve the branch at `height` of the chain served until now, up to `tip`.

        All of the old chain's blocks from `height` on that were shown become stale: by their
        hashes they can still be read.

        Raises:
            UsageError: The chain can't fork there, or the branch has no own block at `tip`.
        """
        self._served.fork(height, tip)

    @property
    def faults(self) -> list[str]:
        """The faults that are left, as they are written."""
        return self._faults.left

    def set_faults(self, faults: Sequence[str]) -> None:
        """Replace the faults, none making it a healthy server.

        Each is `KIND[@STEP][*TIMES]`, and the first one that fits a request counts. When this
        returns, connections are taken, and clients that were kept waiting are being let go.

        Raises:
            UsageError: There is no such fault; then the old ones stay.
        """
        new = Faults([Fault.parse(one) for one in faults])
        with self._faults_lock:
            self._faults.healed.set()
            self._faults = new
        self.wait_until_it_listens()

    def wait_until_it_listens(self) -> None:
        """Wait for the end of a time in which connections are refused."""
        self._server.wait_until_it_listens()

    def start(self) -> None:
        """Answer requests in a thread of its own."""
        self._thread = Thread(target=self._server.run, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Remove the cookie, stop answering and drop all connections."""
        if self._cookie:
            self._cookie.remove()
        self._faults.healed.set()
        if self._thread is not None:
            self._server.end()
            self._thread.join()
            self._thread = None
        self._server.server_close()
        self._server.drop_connections()
        self._closing.set()

    def __enter__(self) -> "SimulationServer":
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _answer(self, request: Request) -> Answer:
        if request.path.startswith(CONTROL_PREFIX):
            return self._control.answer(request)
        # One view for all of an answer, so that a fork meanwhile can't get into it.
        view = self._served.view
        self._log.record(request)
        faults = self._faults
        interface = self._player.interface(request, view, self._read_block)
        fault = faults.take(interface.step_of(request))
        if fault is None:
            return interface.answer(request)
        spoilt = spoilt_view(view, self._served, fault.kind)
        read_block = self._reader(fault.kind)
        answer = self._player.interface(request, spoilt, read_block).answer(request)
        return spoilt_answer(
            answer,
            fault.kind,
            request=request,
            port=self._server.server_address[1],
            healed=faults.healed,
        )

    def _reader(self, kind: Kind) -> ReadBlock:
        if kind is not Kind.FLIP_WITNESS:
            return self._read_block
        return lambda place: with_flipped_witness(self._read_block(place))

    def _read_block(self, place: BlockPlace) -> bytes:
        if self._delay:
            self._closing.wait(self._delay)
        return place.chain.raw_block(place.height)
