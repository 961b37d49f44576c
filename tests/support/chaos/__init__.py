"""A host under faults, kills and restarts for minutes, and what must hold all along.

``python -m tests.support.chaos --minutes 10`` runs it. ``evidence`` tells what is held
to be true, and finds what is not, in what the callers, the provider and the database
each saw for themselves.
"""
