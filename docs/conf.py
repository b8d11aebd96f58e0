"""Sphinx configuration; `make docs` builds the site in build/docs.

The source folder is the repository, so that the Markdown pages keep their relative links.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from pathlib import Path

DOCS = Path(__file__).resolve().parent
sys.path[:0] = [str(DOCS.parent), str(DOCS)]

import api_reference
import feature_pictures
from offline import broken_links, other_hosts
from sphinx.errors import ExtensionError

import hybridlesion

project = "hybridlesion"
author = "The hybridlesion authors"
copyright = f"2026, {author}"
release = version = hybridlesion.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "myst_parser",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
]
# Names of other projects become links if their inventories can be fetched: INTERSPHINX=1 make docs.
# The default build needs no network.
if os.environ.get("INTERSPHINX") == "1":
    extensions.append("sphinx.ext.intersphinx")
    # Terms of the Python glossary that an inventory lacks stay plain text.
    suppress_warnings = ["ref.term", "ref.ref"]
    numpydoc_xref_param_type = True
    numpydoc_xref_ignore = "all"
    numpydoc_xref_aliases = {
        "DataFrame": "pandas.DataFrame",
        "Series": "pandas.Series",
        "ndarray": "numpy.ndarray",
        "Generator": "numpy.random.Generator",
        "Pipeline": "sklearn.pipeline.Pipeline",
        "Tensor": "torch.Tensor",
        "Path": "pathlib.Path",
    }
    intersphinx_mapping = {
        "python": ("https://docs.python.org/3", None),
        "numpy": ("https://numpy.org/doc/stable", None),
        "pandas": ("https://pandas.pydata.org/docs", None),
        "sklearn": ("https://scikit-learn.org/stable", None),
        "torch": ("https://docs.pytorch.org/docs/stable", None),
    }

root_doc = "docs/site/index"
include_patterns = [
    "*.md",
    "docs/*.md",
    "docs/api/*.rst",
    "docs/commands/*.md",
    "docs/gallery/*.rst",
    "docs/site/**",
    "benchmarks/RESULTS.md",
    "data/README.md",
    "pipelines/README.md",
    "docs/api/**CARD.md",
]
exclude_patterns = ["build", ".*"]
default_role = "py:obj"

autosummary_generate = False
autodoc_typehints = "none"
numpydoc_show_class_members = False
myst_heading_anchors = 4
myst_enable_extensions = ["colon_fence"]

html_theme = "pydata_sphinx_theme"
html_title = f"hybridlesion {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_js_files = [("filter.js", {"defer": "defer"})]
html_extra_path = ["_static/redirect"]
html_copy_source = False
html_show_sourcelink = False
toc_object_entries_show_parents = "hide"
html_context = {"default_mode": "auto"}  # light or dark, as the reader's system
html_theme_options = {
    "navbar_align": "left",
    "show_toc_level": 2,
    # The wide tables of the feature catalogue need the room.
    "secondary_sidebar_items": {"**": ["page-toc"], "docs/features": []},
    "footer_start": ["copyright"],
    "footer_end": [],
}

sphinx_gallery_conf = {
    "examples_dirs": "docs/examples",
    "gallery_dirs": "docs/gallery",
    "within_subsection_order": "FileNameSortKey",
    "download_all_examples": False,
    "show_signature": False,
    "write_computation_times": False,
    "abort_on_example_error": True,
    "reference_url": {"hybridlesion": None},
}


def _escape_attributes(app, what, name, obj, options, lines):
    """Keep fitted attributes in types, such as (n, n_features_out_), from becoming links."""
    lines[:] = [
        re.sub(r"(?<=\w)_(?=[,)])", r"\\_", line) if "of shape (" in line else line
        for line in lines
    ]


def _skip_metadata_routing(app, what, name, obj, skip, options):
    return True if re.fullmatch(r"set_\w+_request", name) else None


def _copy_cards(app):
    """Take the cards from the package, which may be installed from a wheel."""
    package = Path(hybridlesion.__file__).parent
    for card in package.rglob("*CARD.md"):
        copy = DOCS / "api" / card.relative_to(package)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(card, copy)


def _adapt_links(app, docname, source):
    """Lead links to examples and cards, which work in the repository, to their pages."""
    source[0] = re.sub(r"\]\(examples/(\w+)\.py\)", r"](gallery/\1.rst)", source[0])
    source[0] = re.sub(r"([(<])[./]*hybridlesion/([\w/]+CARD)", r"\1/docs/api/\2", source[0])


def _add_pictures(app, docname, source):
    if docname == "docs/features":
        source[0] = feature_pictures.add_pictures(source[0])


def _check_pages(app, error):
    """Fail if a link is broken, or a page or style sheet would load from another host."""
    if error or app.builder.format != "html":
        return
    if broken := broken_links(Path(app.outdir)):
        raise ExtensionError("Broken links: " + "; ".join(broken))
    found = {
        f"{path.relative_to(app.outdir)}: {address}"
        for suffix in ("html", "css")
        for path in Path(app.outdir).rglob(f"*.{suffix}")
        for address in other_hosts(path.read_text(encoding="utf-8"))
    }
    if found:
        raise ExtensionError("The site loads from other hosts: " + "; ".join(sorted(found)))


def setup(app):
    app.connect("builder-inited", lambda app: api_reference.write_pages(), priority=100)
    app.connect("builder-inited", lambda app: feature_pictures.write_pictures())
    app.connect("autodoc-process-docstring", _escape_attributes, priority=900)
    app.connect("autodoc-skip-member", _skip_metadata_routing)
    app.connect("builder-inited", _copy_cards)
    app.connect("source-read", _adapt_links)
    app.connect("source-read", _add_pictures)
    app.connect("build-finished", _check_pages)
