"""
The ABCD sheet of a lesion
==========================

The sheet shows from which pixels each ABCD feature is computed.
"""

import matplotlib.pyplot as plt
from matplotlib.backends.backend_agg import FigureCanvasAgg

from hybridlesion import abcd, segment
from hybridlesion.datasets import LesionTraits, draw_lesion
from hybridlesion.plotting import draw_abcd_sheet

traits = LesionTraits(asymmetry=0.8, border=0.7, color=0.8, radius=0.25)
image, _ = draw_lesion(traits, size=(400, 300), random_state=3)
mask = segment(image)

sheet = draw_abcd_sheet(image, mask, title="A synthetic lesion")

# %%
# ``sheet.savefig("sheet.png")`` would write the figure to a file. Here it is shown on the page.

canvas = FigureCanvasAgg(sheet)
canvas.draw()
plt.figure(figsize=(16, 10)).figimage(canvas.buffer_rgba())

# %%
# The summary scores are on the scales of the ABCD rule: asymmetry 0 to 2, border 0 to 8, colour
# 1 to 6.

features = abcd(image, mask)
for name in ("abcd__asymmetry", "abcd__border", "abcd__color"):
    print(f"{name}: {features[name]:.1f}")
