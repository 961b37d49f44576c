"""Ends with 1 unless ``/healthz`` of this container answers 200."""

import urllib.request

urllib.request.urlopen("http://127.0.0.1:8000/healthz", timeout=5).close()
