"""Report of a model as one HTML file."""

from hybridlesion.reporting.html._page import PageResult, write_page

__all__ = ["PageResult", "write_page"]
