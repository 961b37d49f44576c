"""Protections of the package, each taken out in a copy to see a test fail.

``python -m tests.mutants --help`` says how to run them.
"""
