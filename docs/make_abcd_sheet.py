"""Draw the ABCD sheet of a synthetic lesion that the documentation shows.

python docs/make_abcd_sheet.py data/sample/images/SYN_0000019.jpg docs/abcd_sheet.png
"""

from __future__ import annotations

import sys
from pathlib import Path

from PIL import Image

from hybridlesion.io.discovery import find_images
from hybridlesion.plotting import write_abcd_sheets


def main(image: Path, out: Path) -> None:
    """Write the sheet with 256 colours, which keeps the file small.

    Parameters
    ----------
    image : Path
        Image of the lesion.
    out : Path
        PNG to write.
    """
    write_abcd_sheets(find_images(image), out)
    with Image.open(out) as sheet:
        # maximum coverage keeps the rare colours of the overlays
        small = sheet.convert("RGB").quantize(
            256, method=Image.Quantize.MAXCOVERAGE, kmeans=3, dither=Image.Dither.NONE
        )
    small.save(out, optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
