"""Bring Your Own Key for the AI features of a multi-tenant Flask app."""
