"""The studio's own tests of whose key pays; the fixtures come with flask-byok.

``pytest example_app/tests`` runs them. They are a pattern to copy: the app is made in
``conftest.py``, and each test stores a key, works or breaks it, and asks who paid.
"""
