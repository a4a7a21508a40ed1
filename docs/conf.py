"""Configuration of the site; `python -m tox -e docs` builds it into docs/_build/html."""

import logging
import os
import sys
from pathlib import Path

DOCS = Path(__file__).parent
ROOT = DOCS.parent
sys.path.insert(0, str(DOCS / "_ext"))

from site_parts import gallery, generate, inventories  # noqa: E402

import cinc_ref  # noqa: E402

# ---- what is generated before Sphinx reads a page -----------------------------------------------

generate.write_parts(DOCS / "_generated")
generate.write_api(DOCS / "api")
inventories.write(DOCS / "_generated" / "inventories")

# ---- project -------------------------------------------------------------------------------------

project = "cinc_ref"
author = "The cinc_ref contributors"
project_copyright = "the cinc_ref contributors, MIT licence"
version = release = cinc_ref.__version__

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.intersphinx",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
    "sphinx_gallery.gen_gallery",
    "site_parts.gallery_pages",
    "site_parts.mathml",
]
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}
exclude_patterns = [
    "_build",
    "_generated",
    "_ext",
    "**/README.md",
    "explorer",
]
templates_path = ["_templates"]
default_role = "py:obj"
# Fences without a language show output and formulas.
highlight_language = "none"
pygments_style = "friendly"

myst_enable_extensions = ["attrs_block", "attrs_inline", "colon_fence", "deflist"]
myst_heading_anchors = 3

# ---- reference -----------------------------------------------------------------------------------

autosummary_generate = True
autosummary_ignore_module_all = False
autodoc_typehints = "none"  # numpydoc sections have the types
numpydoc_show_class_members = False
toc_object_entries_show_parents = "hide"
intersphinx_mapping = inventories.mapping("_generated/inventories")
intersphinx_disabled_reftypes = ["std:doc"]

# ---- gallery -------------------------------------------------------------------------------------

# That something is compiled is no output of an example.
logging.getLogger("cinc_ref").setLevel("ERROR")

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "gallery",
    "filename_pattern": gallery.executed_pattern(ROOT / "examples"),
    "ignore_pattern": r"__init__\.py",
    "within_subsection_order": "FileNameSortKey",
    "remove_config_comments": True,
    "download_all_examples": False,
    "show_memory": False,
    "min_reported_time": 3600,
    "write_computation_times": False,
    "plot_gallery": os.environ.get("PLOT_GALLERY", "True") == "True",
    "image_srcset": ["2x"],
    "matplotlib_animations": True,
    "default_thumb_file": str(DOCS / "class" / "figures" / "matrix.svg"),
    "doc_module": ("cinc_ref",),
    "reference_url": {"cinc_ref": None},
}

# ---- HTML ----------------------------------------------------------------------------------------

html_theme = "pydata_sphinx_theme"
html_title = "cinc_ref"
html_static_path = ["_static", "_generated/static"]
html_css_files = ["drawings.css", "site.css"]
html_copy_source = False
html_show_sourcelink = False
html_math_renderer = "mathml"
html_extra_path = ["_generated/extra"]
html_context = {"default_mode": "auto"}
html_theme_options = {
    "show_prev_next": True,
    "navigation_with_keys": False,
    "header_links_before_dropdown": 6,
    "show_toc_level": 2,
    "navigation_depth": 3,
    "logo": {"text": "cinc_ref"},
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": ["theme-version"],
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}
