"""
The seven-point checklist
=========================

Each criterion is graded from 0 to 1, and the score adds the grades up, with double weight for the
three major criteria. A grade is a rank among training images, not a probability.
"""

import matplotlib.pyplot as plt

from hybridlesion import abcd, segment
from hybridlesion.datasets import LesionTraits, draw_lesion
from hybridlesion.segmentation import draw_overlay

# %%
# A regular lesion, and one with many colours and a ragged border.

lesions = {
    "regular": LesionTraits(asymmetry=0.1, border=0.1, color=0.1, pattern="globular"),
    "irregular": LesionTraits(asymmetry=0.8, border=0.8, color=0.9, radius=0.24),
}
criteria = ("network", "veil", "vascular", "streaks", "dots", "pigmentation", "regression")

figure, axes = plt.subplots(2, 2, figsize=(9, 6), layout="constrained", width_ratios=[1, 1.1])
for (name, traits), (picture, bars) in zip(lesions.items(), axes, strict=True):
    image, _ = draw_lesion(traits, size=(480, 360), random_state=5)
    mask = segment(image)
    features = abcd(image, mask)
    picture.imshow(draw_overlay(image, mask))
    picture.set_title(f"{name}: {features['abcd__seven_point']:.1f} of 10 points")
    picture.set_axis_off()

    grades = [features[f"abcd__seven_point_{one}"] for one in criteria]
    major = ["#0072B2"] * 3 + ["#56B4E9"] * 4
    bars.barh(criteria, grades, color=major)
    bars.bar_label(bars.containers[0], fmt="%.2f", padding=3)
    bars.set(xlim=(0, 1.15), xlabel="grade (dark: major criteria)")
    bars.invert_yaxis()
