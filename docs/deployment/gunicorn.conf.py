"""Workers with threads: one waits for its provider, the others go on."""

worker_class = "gthread"
workers = 2
threads = 32
# Above BYOK_TIMEOUT, 60 s, so that no worker is stopped before its answer ends.
timeout = 75
graceful_timeout = 75
# Longer than nginx keeps a connection for the next request.
keepalive = 30
# Workers tell the parent that they are alive by this file; a disk may make them wait.
worker_tmp_dir = "/dev/shm"
# Nobody gives orders to a running server here.
control_socket_disable = True
