"""The whole appliance on a simulated chain, to look at: `make appliance`.

python -m tests.system.appliance [--port PORT | --shell]
"""

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path
from socketserver import BaseRequestHandler, ThreadingTCPServer

from tests.system import enclosed
from tests.system.driver import opened
from tests.system.machine import Machine
from tests.system.namespaces import command_on, running

NAME = "appliance"
READY = "curl --fail --silent --output /dev/null http://127.0.0.1:8000/api/prices/latest"
SECONDS = 120

WELCOME = """
utxoracle on a simulated chain, with all of mempool's containers.

  The page:     http://localhost:{port}
  A shell:      make appliance-shell, in another terminal
  To end it:    Ctrl-C; nothing of it is left
"""
MOTD = """
Try here:   utxoracle status
            utxoracle doctor
            podman ps
            systemctl list-timers 'utxoracle-*'
            journalctl -u utxoracle-analyze -f
            systemctl start utxoracle-backup && utxoracle backups
To leave:   exit
"""


def main() -> int:
    """Show the appliance until an interrupt comes, or give a shell on it."""
    parser = argparse.ArgumentParser(prog="python -m tests.system.appliance")
    parser.add_argument("--port", type=int, default=8000, help="of the page; default: %(default)s")
    parser.add_argument("--shell", action="store_true", help="a shell on the one that runs")
    args = parser.parse_args()
    if args.shell:
        return _shell()
    if enclosed.FOLDER not in os.environ:
        return enclosed.run("tests.system.appliance", *sys.argv[1:])
    folder = Path(os.environ[enclosed.FOLDER])
    try:
        with opened(folder / NAME, folder.name) as driver:
            return _show(driver.machine(NAME, 1), args.port)
    except KeyboardInterrupt:
        print("\nThe appliance is gone.")
    return 0


def _show(machine: Machine, port: int) -> int:
    begin = time.monotonic()
    try:
        forwarder = _Forwarder(("127.0.0.1", port), _forward(machine))
    except OSError as error:
        print(f"port {port}: {error.strerror}; try make appliance PORT=8001", file=sys.stderr)
        return 1
    with forwarder:
        machine.start()
        # As often as real blocks do.
        machine.succeed("echo OPTIONS=--block-every=600 >/etc/simulated-node")
        machine.succeed("systemctl restart simulated-node")
        machine.wait_until_succeeds(READY, timeout=SECONDS)
        print(f"is there after {time.monotonic() - begin:.0f} s")
        print(WELCOME.format(port=port), flush=True)
        try:
            forwarder.serve_forever()
        finally:
            machine.shutdown()
    return 0


class _Forwarder(ThreadingTCPServer):
    """Takes connections on this machine's loopback."""

    allow_reuse_address = True
    daemon_threads = True


def _forward(machine: Machine) -> type[BaseRequestHandler]:
    class Connection(BaseRequestHandler):
        """One connection, which a program on the host passes on to the page."""

        def handle(self) -> None:
            passed_on = machine.command("nc", "-N", "127.0.0.1", "8000")
            subprocess.run(passed_on, stdin=self.request, stdout=self.request, check=False)

    return Connection


def _shell() -> int:
    pid = running(NAME)
    if pid is None:
        print("no appliance runs here; start it by: make appliance", file=sys.stderr)
        return 1
    print(MOTD)
    return subprocess.run(command_on(pid, "bash", "--login"), check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
