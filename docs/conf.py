"""Sphinx settings. Nothing is fetched from the network."""

import sys
from pathlib import Path

import click
from sphinx.errors import ConfigError

from dunhuang_cli.data import dunhuang_data
from dunhuang_cli.train import dunhuang_train
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
smartquotes = False  # they would turn --option into a dash
language = "en"
myst_heading_anchors = 3

napoleon_google_docstring = False
napoleon_custom_sections = [("Attributes", "params_style")]
autodoc_member_order = "bysource"
autodoc_typehints = "none"  # the docstrings say types and shapes
copybutton_prompt_text = "$ "

html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["docs.css"]
html_title = f"Dunhuang {release}"
html_show_sphinx = False
html_show_copyright = False

sys.path.insert(0, str(Path(__file__).parent))
import families_figure  # noqa: E402
import spread_figure  # noqa: E402

families_figure.draw(Path(__file__).with_name("images") / "families.png")
spread_figure.draw(Path(__file__).with_name("images") / "spread.png")

page = Path(__file__).with_name("commands.md").read_text(encoding="utf-8")
for group in (dunhuang_data, dunhuang_train):
    # sphinx-click would sort the commands by the alphabet; the page lists them in their order
    if f":commands: {', '.join(group.commands)}\n" not in page:
        raise ConfigError(f"commands.md does not list the commands of {group.name} in their order")
    # and it does not read context_settings, where show_default is set
    for command in group.commands.values():
        for option in command.params:
            if isinstance(option, click.Option) and isinstance(option.default, str | int | float):
                option.show_default = not option.is_flag
