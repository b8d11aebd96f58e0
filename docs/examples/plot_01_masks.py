"""
A mask by each segmenter
========================

Two segmenters ship with the package: ``classical``, which selects one of several candidate masks,
and ``refined``, in which a small network corrects the classical mask.
"""

import matplotlib.pyplot as plt

from hybridlesion import segment
from hybridlesion.datasets import LesionTraits, draw_lesion
from hybridlesion.metrics import jaccard
from hybridlesion.segmentation import SEGMENTERS, draw_overlay

# %%
# A lesion with a ragged border under hair, and its true mask.

traits = LesionTraits(asymmetry=0.5, border=0.6, color=0.4, hair=0.5, artifacts=("vignette",))
image, truth = draw_lesion(traits, size=(400, 300), random_state=1)

# %%
# The Jaccard index is the area of the intersection of two masks over that of their union.

masks = {name: segment(image, segmenter=name) for name in SEGMENTERS}

figure, axes = plt.subplots(1, len(masks) + 1, figsize=(10, 3), layout="constrained")
axes[0].imshow(draw_overlay(image, truth))
axes[0].set_title("truth")
for axis, (name, mask) in zip(axes[1:], masks.items(), strict=True):
    axis.imshow(draw_overlay(image, mask))
    axis.set_title(f"{name}, Jaccard {jaccard(mask, truth):.2f}")
for axis in axes:
    axis.set_axis_off()
