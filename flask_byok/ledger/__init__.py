"""Counts: attempts, budgets, and who changed what."""
