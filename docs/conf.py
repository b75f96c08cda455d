"""Sphinx settings. Nothing is fetched from the network."""

from dunhuang_data import __version__

project = "Dunhuang"
author = "The Dunhuang developers"
version = release = __version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_click",
    "sphinx_copybutton",
]
exclude_patterns = ["_build"]
default_role = "literal"  # `name` in a docstring is code
language = "en"
myst_heading_anchors = 3

napoleon_google_docstring = False
napoleon_use_ivar = True  # attributes as a list, not as entries of their own
autodoc_member_order = "bysource"
autodoc_typehints = "none"  # the docstrings say types and shapes
copybutton_prompt_text = "$ "

html_theme = "furo"
html_title = f"Dunhuang {release}"
html_show_sphinx = False
html_show_copyright = False
