"""Build hook: the README and the addresses in the metadata of the distributions."""

from __future__ import annotations

import os
import re
from pathlib import Path

from hatchling.metadata.plugin.interface import MetadataHookInterface

_LINK = re.compile(r"(!?)\[([^\]]*)\]\((?!https?:|#)([^)]+)\)")


def adapt_links(text: str, repository: str, version: str) -> str:
    """Make relative links work outside the repository.

    Parameters
    ----------
    text : str
        Markdown with links relative to the root of the repository.
    repository : str
        Address of the repository, or an empty string if it has none.
    version : str
        Version, whose tag the links lead to.

    Returns
    -------
    str
        Markdown with absolute links. Without an address, only the text of the links remains, and
        pictures are left out.

    Examples
    --------
    >>> adapt_links("[b](b.md)", "https://host.example/me/it", "1.0.0")
    '[b](https://host.example/me/it/blob/v1.0.0/b.md)'
    >>> adapt_links("![a](a.png) [b](b.md)", "", "1.0.0")
    ' b'
    """

    def adapt(match: re.Match[str]) -> str:
        picture, shown, target = match.groups()
        if not repository:
            return "" if picture else shown
        kind = "raw" if picture else "blob"
        return f"{picture}[{shown}]({repository}/{kind}/v{version}/{target})"

    return _LINK.sub(adapt, text)


class CustomMetadataHook(MetadataHookInterface):
    """Add the description, and the addresses if HYBRIDLESION_REPOSITORY is set."""

    def update(self, metadata: dict) -> None:
        """Set ``readme`` and ``urls``.

        Parameters
        ----------
        metadata : dict
            Metadata of the project, changed in place.
        """
        repository = os.environ.get("HYBRIDLESION_REPOSITORY", "").rstrip("/")
        text = Path(self.root, "README.md").read_text(encoding="utf-8")
        text = adapt_links(text, repository, metadata["version"])
        metadata["readme"] = {"content-type": "text/markdown", "text": text}
        if repository:
            metadata["urls"] = {
                "Source": repository,
                "Documentation": f"{repository}/blob/v{metadata['version']}/docs/README.md",
                "Changelog": f"{repository}/blob/v{metadata['version']}/CHANGELOG.md",
                "Issues": f"{repository}/issues",
            }
