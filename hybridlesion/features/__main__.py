"""Print the feature catalogue as Markdown: ``python -m hybridlesion.features``."""

from __future__ import annotations

from hybridlesion.features import catalogue_page

print(catalogue_page(), end="")
