"""
The ugly duckling
=================

Nevi of one person resemble each other; a lesion that differs from all others is suspicious, even
if it would be inconspicuous on someone else. `patient_context` compares each lesion with the other
lesions of its patient.
"""

import matplotlib.pyplot as plt
import pandas as pd

from hybridlesion import abcd, segment
from hybridlesion.datasets import LesionTraits, draw_lesion
from hybridlesion.model import patient_context

# %%
# Seven lesions of one kind, and an eighth that is darker and has more colours.

kind = {"darkness": 0.4, "pattern": "homogeneous", "skin": (72.0, 10.0, 14.0)}
lesions = [
    LesionTraits(asymmetry=0.1, border=0.1, color=0.1, radius=0.14 + 0.01 * number, **kind)
    for number in range(7)
]
lesions.insert(5, LesionTraits(asymmetry=0.5, border=0.4, color=0.7, radius=0.2, darkness=0.7))
images = [
    draw_lesion(traits, size=(320, 240), random_state=number)[0]
    for number, traits in enumerate(lesions)
]
table = pd.DataFrame([abcd(image, segment(image)) for image in images])
table["patient_id"] = "patient 1"

# %%
# Compared is the total dermoscopy score (TDS) of the ABCD rule. ``z`` is the difference from the
# mean of the patient's other lesions, in their standard deviations (at most 10).

context = patient_context(table, columns=["abcd__tds"], kinds=["others", "z"], distances=False)
context.insert(0, "TDS", table["abcd__tds"])
print(context.round(1).to_string())

# %%
# `HybridLesionClassifier` adds such columns by itself if the table has patients.

z = context["ctx__abcd_tds_z"]
duckling = z.idxmax()
figure, axes = plt.subplots(2, 4, figsize=(10, 4.6), layout="constrained")
for number, (axis, image) in enumerate(zip(axes.flat, images, strict=True)):
    axis.imshow(image)
    axis.set(xticks=[], yticks=[])
    axis.set_title(f"z = {z[number]:.1f}", fontsize="medium")
    axis.spines[:].set(color="#D55E00" if number == duckling else "none", linewidth=4)
