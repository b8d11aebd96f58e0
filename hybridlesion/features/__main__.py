"""``python -m hybridlesion.features`` prints the catalogue as Markdown."""

from __future__ import annotations

from hybridlesion.features import catalogue_page

print(catalogue_page(), end="")
