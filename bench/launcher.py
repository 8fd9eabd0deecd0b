"""`python -S bench/launcher.py COMMAND...`: runs a command; tells what it took.

Seconds, seconds of processor time, MB of the largest process and exit code, on standard error.

Linux counts the memory of the process that starts another one as the other's until that has loaded
its program. So a small one has to do it, and this one imports next to nothing.
"""

import os
import sys
import time

command = sys.argv[1:]
started = time.perf_counter()
pid = os.posix_spawnp(
    command[0],
    command,
    os.environ,
    file_actions=[(os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0)],
)
_, status, usage = os.wait4(pid, 0)
seconds = time.perf_counter() - started
busy = usage.ru_utime + usage.ru_stime
peak_mb = usage.ru_maxrss / 1024
print(seconds, busy, peak_mb, os.waitstatus_to_exitcode(status), file=sys.stderr)
