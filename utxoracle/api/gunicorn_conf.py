"""What gunicorn is told: `gunicorn -c python:utxoracle.api.gunicorn_conf`.

Each name is one of gunicorn's settings; versions that don't know one leave it out.
"""

import os

from utxoracle.api.access import read_token
from utxoracle.settings import Settings

_settings = Settings.from_environment()
# A bad one is told in one line here, by each worker in a trace.
read_token(_settings)
_host = f"[{_settings.api_host}]" if ":" in _settings.api_host else _settings.api_host

wsgi_app = "utxoracle.api.app:create_app()"
bind = f"{_host}:{_settings.api_port}"
workers = _settings.api_workers
worker_class = "utxoracle.api.worker.Worker"
logger_class = "utxoracle.api.log.Log"
proc_name = "utxoracle-api"

# Not before the workers part: what DuckDB starts in a process doesn't outlive a fork.
preload_app = False

# A thread is only used while an answer is made and written; unused ones are never started.
threads = 128
# With the files that a process has open anyway, fewer than the 1,024 which it mostly may have.
worker_connections = 800

keepalive = 15
graceful_timeout = 30
timeout = 60

limit_request_line = 4094
limit_request_fields = 64

# Of a file that is sent by the kernel, a client that takes nothing would be waited for for ever.
sendfile = False

# The heartbeat of a worker must not wait for a disk.
worker_tmp_dir = "/dev/shm" if os.access("/dev/shm", os.W_OK | os.X_OK) else None  # noqa: S108

# A way in that nobody asked for, below the home folder of a user who mostly has none.
control_socket_disable = True

accesslog = "-"
