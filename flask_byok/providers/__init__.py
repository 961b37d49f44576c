"""Speaks with the providers: three wire formats, one shape."""
