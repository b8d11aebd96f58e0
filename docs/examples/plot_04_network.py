"""
What the network sees
=====================

The network that ships with the package is shown a square around the lesion. To see which part of
the image its score depends on, patches are covered one after another, and the image is scored
again. This runs on ONNX Runtime; ``hybridlesion explain --network finetuned`` draws a finer map of
integrated gradients, which requires torch.
"""

from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np
from scipy.special import logit

from hybridlesion import segment
from hybridlesion.cnn import CNNScorer, cut, lesion_window
from hybridlesion.datasets import LesionTraits, draw_lesion

traits = LesionTraits(asymmetry=0.7, border=0.5, color=0.9, radius=0.2, center=(0.08, 0.02))
image, _ = draw_lesion(traits, size=(400, 300), random_state=2)
mask = segment(image)
window = lesion_window(mask)

# %%
# The mask stays the same, so that the network is always shown the same square. Each patch is
# covered with the mean colour of the skin.

skin = image[~mask].mean(axis=0).astype(np.uint8)
n_patches = 8
rows, columns = (
    np.linspace(start, start + side, n_patches + 1).astype(int)
    for start, side in ((window.top, window.height), (window.left, window.width))
)
covered = []
for top, bottom in pairwise(rows):
    for left, right in pairwise(columns):
        covered.append(image.copy())
        covered[-1][max(top, 0) : bottom, max(left, 0) : right] = skin

scorer = CNNScorer(device="cpu").fit()
score = scorer.transform([image, *covered], [mask] * (1 + len(covered)))[:, 0]
change = (logit(score[0]) - logit(score[1:])).reshape(n_patches, n_patches)

# %%
# Covering an orange patch lowers the score: its content raised it.

figure, axes = plt.subplots(1, 3, figsize=(11, 3.4), layout="constrained", width_ratios=[4, 3, 3.5])
axes[0].imshow(image)
corner = (window.left, window.top)
square = plt.Rectangle(corner, window.width - 2, window.height - 2, fill=False, color="white", lw=2)
axes[0].add_patch(square)
axes[0].set_title("image and square")
seen = cut(image, window)
axes[1].imshow(seen)
axes[1].set_title(f"shown to the network: score {score[0]:.2f}")
axes[2].imshow(seen.mean(axis=2), cmap="gray")
largest = np.abs(change).max()
extent = (-0.5, window.width - 0.5, window.height - 0.5, -0.5)
shown = axes[2].imshow(change, cmap="PuOr_r", vmin=-largest, vmax=largest, alpha=0.6, extent=extent)
figure.colorbar(shown, label="contribution (log odds)")
axes[2].set_title("contribution of each patch")
for axis in axes:
    axis.set_axis_off()
    axis.title.set_fontsize("medium")
