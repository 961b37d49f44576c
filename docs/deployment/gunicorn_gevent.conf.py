"""Workers with greenlets, for many streams at once."""

from gevent import monkey

# Before anything else is imported: requests and the driver must wait in its way.
monkey.patch_all()

worker_class = "gevent"
workers = 2
worker_connections = 500
timeout = 75
graceful_timeout = 75
# Longer than nginx keeps a connection for the next request.
keepalive = 30
worker_tmp_dir = "/dev/shm"
# Nobody gives orders to a running server here.
control_socket_disable = True
