"""Keeps keys: seals, opens and stores them."""
