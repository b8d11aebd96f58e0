"""One HTML file that shows what a model learned, how well it does, and on which lesions it errs."""

from hybridlesion.reporting.html._page import PageResult, write_page

__all__ = ["PageResult", "write_page"]
