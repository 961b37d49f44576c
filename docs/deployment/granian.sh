#!/bin/sh
# Granian: workers with threads, its own HTTP server in front of each.
exec granian --interface wsgi --workers 2 --blocking-threads 32 \
    --workers-kill-timeout 75 wsgi:app
