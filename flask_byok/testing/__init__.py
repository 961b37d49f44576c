"""A provider simulator and fixtures for host apps."""
