"""Run scenarios on hosts of this machine: python -m tests.system [--long] SCENARIO..."""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.system import driver, rootfs
from tests.system.machine import free_loop_devices
from tests.system.namespaces import forgotten_cgroups, remove_cgroups

# Whatever the driver starts ends with it, and what it mounts is nobody else's.
NAMESPACES = ["unshare", "--mount", "--propagation=private", "--pid", "--fork", "--kill-child"]


def main() -> int:
    """Run the scenarios that are named on the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.system", description=__doc__)
    parser.add_argument("scenarios", nargs="+", choices=driver.scenarios())
    parser.add_argument("--long", action="store_true", help="as long as they are meant to be")
    args = parser.parse_args()
    if os.environ.get("SYSTEM_TEST_FOLDER"):
        driver.main(args.scenarios, is_long=args.long)
        return 0
    group = str(os.getpid())
    folder = Path(tempfile.mkdtemp(prefix="utxoracle-system-", dir="/var/tmp"))
    environment = {**os.environ, "SYSTEM_TEST_FOLDER": str(folder), "SYSTEM_TEST_GROUP": group}
    command = [*NAMESPACES, "--mount-proc", sys.executable, "-m", "tests.system", *sys.argv[1:]]
    try:
        rootfs.root()
        return subprocess.run(command, env=environment, check=False).returncode
    except rootfs.RootUnavailable as error:
        print(f"skipped: {error}")
        return 0
    finally:
        for image in folder.glob("*/*/nvme/*.img"):
            free_loop_devices(image)
        remove_cgroups(forgotten_cgroups(group))
        shutil.rmtree(folder)


if __name__ == "__main__":
    sys.exit(main())
