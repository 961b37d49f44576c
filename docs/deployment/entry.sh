#!/bin/sh
# What a container of the image does: one of these words, or any other command.
set -eu

case "$1" in
    # Once per deployment, before the new containers serve. Ends with 1 when something
    # is wrong, and the old ones go on.
    release)
        flask db upgrade
        exec flask byok doctor --deploy
        ;;
    # Once a day.
    sweep)
        exec flask byok sweep
        ;;
    serve)
        exec gunicorn --config gunicorn.conf.py wsgi:app
        ;;
    *)
        exec "$@"
        ;;
esac
