"""
What the network sees
=====================

The network that ships with the package is shown the middle of the frame at 192 x 192 pixels. To see
on which part its score depends, patches are covered one after another, and the image is scored
again. This runs on ONNX Runtime; ``hybridlesion explain --network finetuned`` draws a finer map of
integrated gradients, which requires torch.
"""

from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np
from scipy.special import logit

from hybridlesion.cnn import SHIPPED, CNNScorer, Finetuned
from hybridlesion.datasets import LesionTraits, draw_lesion

traits = LesionTraits(asymmetry=0.7, border=0.5, color=0.9, radius=0.2, center=(0.08, 0.02))
image, truth = draw_lesion(traits, size=(400, 300), random_state=2)

network = Finetuned.read(SHIPPED)
(view,), spec = network.views, network.spec([])
window = view.window(image.shape[:2], None, spec)
seen = view.prepare(image, None, spec)

# %%
# Each patch is covered with the mean colour of the skin.

skin = image[~truth].mean(axis=0).astype(np.uint8)
n_patches = 9
rows = np.linspace(window.top, window.top + window.height, n_patches + 1).astype(int)
columns = np.linspace(window.left, window.left + window.width, n_patches + 1).astype(int)
covered = []
for top, bottom in pairwise(rows):
    for left, right in pairwise(columns):
        covered.append(image.copy())
        covered[-1][top:bottom, left:right] = skin

scorer = CNNScorer(device="cpu").fit()
score = scorer.transform([image, *covered])[:, 0]
change = (logit(score[0]) - logit(score[1:])).reshape(n_patches, n_patches)

# %%
# Orange patches raised the score: covering them lowers it. Purple ones lowered it.

figure, axes = plt.subplots(1, 3, figsize=(11, 3.4), layout="constrained", width_ratios=[4, 3, 3.5])
axes[0].imshow(image)
corner = (window.left, window.top)
square = plt.Rectangle(corner, window.width, window.height, fill=False, color="white", lw=2)
axes[0].add_patch(square)
axes[0].set_title("the image")
axes[1].imshow(seen)
axes[1].set_title(f"shown to the network: score {score[0]:.2f}")
axes[2].imshow(seen.mean(axis=2), cmap="gray")
largest = np.abs(change).max()
extent = (-0.5, seen.shape[1] - 0.5, seen.shape[0] - 0.5, -0.5)
shown = axes[2].imshow(change, cmap="PuOr_r", vmin=-largest, vmax=largest, alpha=0.6, extent=extent)
figure.colorbar(shown, label="contribution (log odds)")
axes[2].set_title("contribution of each patch")
for axis in axes:
    axis.set_axis_off()
    axis.title.set_fontsize("medium")
