"""The site of these pages: `make docs`."""

import os
import re
import sys

os.environ["QUICKPICKLE_PURE"] = "1"  # the signatures of Python functions have all types
sys.path.insert(0, os.path.abspath("../src"))
import quickpickle

project = "quickpickle"
author = "quickpickle maintainers"
project_copyright = "quickpickle maintainers, MIT license"
version = release = quickpickle.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
pygments_dark_style = "github-dark"
highlight_language = "text"
default_role = "code"  # docstrings have names in single backquotes
myst_heading_anchors = 4
myst_enable_extensions = ["colon_fence"]
suppress_warnings = ["myst.header"]  # a page may go on at another level

autodoc_member_order = "bysource"
autodoc_typehints = "none"  # the text of each parameter has its type
napoleon_google_docstring = False
napoleon_use_rtype = False

html_theme = "furo"
html_title = f"quickpickle {release}"
html_static_path = ["site.css"]
html_css_files = ["site.css"]
html_show_sphinx = False

# Files outside of this folder that are pages of the site.
PAGES = {
    "SECURITY.md": "security.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "benchmarks/README.md": "benchmarks.md",
}


def lead_to_pages(app, docname, source):
    """Links that are right in the repository lead to the page of the site."""
    up = "../" * docname.count("/")
    for name, page in PAGES.items():
        source[0] = re.sub(rf"\]\((\.\./)+{name}", f"]({up}project/{page}", source[0])
    source[0] = re.sub(r"\]\((\.\./)+examples/?\)", f"]({up}project/examples.md)", source[0])


def setup(app):
    app.connect("source-read", lead_to_pages)
