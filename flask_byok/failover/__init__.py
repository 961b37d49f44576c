"""Decides what happens when an attempt fails."""
