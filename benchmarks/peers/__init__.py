"""The parts of ``bench_peers.py``, which compares this package with its peers."""
