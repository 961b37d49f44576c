"""Puts together what one app needs, once, at ``init_app``."""
