"""Sphinx settings. Warnings are errors: see "make docs"."""

from __future__ import annotations

import importlib.metadata

project = "flask-byok"
author = "The flask-byok authors"
copyright = "the flask-byok authors"  # noqa: A001 - Sphinx asks for this name
release = importlib.metadata.version("flask-byok")
version = release

extensions = ["myst_parser", "sphinx.ext.autodoc"]
exclude_patterns = ["_build"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_class_signature = "mixed"

# Names of other projects, whose documentation is not fetched, and of rooms that are not
# public: they show up in annotations.
nitpick_ignore_regex = [
    (r"py:.*", r"(?!flask_byok\.).*"),
    (r"py:.*", r"flask_byok\.[a-z]+\..*"),
]

# Sentences of the code are quoted as they are said.
smartquotes = False

html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["tables.css"]
html_title = "flask-byok"
html_show_copyright = False
html_show_sphinx = False
