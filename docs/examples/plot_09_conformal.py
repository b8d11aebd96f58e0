"""
Abstaining when unsure
======================

Conformal sets hold every diagnosis that held-out lesions of the same class make plausible. A set of
both labels is an abstention: these lesions need another look. The higher the coverage, the more of
them.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from hybridlesion import HybridLesionClassifier
from hybridlesion.datasets import malignancy_risk

rng = np.random.default_rng(0)
traits = rng.beta(1, 2, size=(6000, 3))
y = rng.random(6000) < malignancy_risk(traits, malignant_share=0.2)
table = pd.DataFrame(
    traits + rng.normal(0, 0.05, traits.shape),
    columns=["abcd__asymmetry", "abcd__border", "abcd__color"],
)
known, new = np.arange(6000) < 2000, np.arange(6000) >= 2000
model = HybridLesionClassifier(n_splits=3, max_trees=60).fit(table[known], y[known])

# %%
# Coverage is guaranteed in each class, as long as new lesions resemble those of the training data.

levels = (0.7, 0.8, 0.9, 0.95, 0.98)
shares, covered = {}, {}
for level in levels:
    benign, malignant = model.predict_set(table[new], coverage=level).T
    shares[level] = {
        "benign": np.mean(benign & ~malignant),
        "both (abstains)": np.mean(benign & malignant),
        "malignant": np.mean(malignant & ~benign),
        "neither": np.mean(~benign & ~malignant),
    }
    covered[level] = {
        "benign": benign[~y[new]].mean(),
        "malignant": malignant[y[new]].mean(),
    }
shares, covered = pd.DataFrame(shares).T, pd.DataFrame(covered).T
print(shares.round(3))

# %%
# Left: what the sets contain. Right: how often they contain the truth.

figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.6), layout="constrained")
names = [f"{level:.0%}" for level in levels]
ends = shares.cumsum(axis=1)
for label, color in zip(shares, ("#56B4E9", "#DDDDDD", "#D55E00", "#555555"), strict=True):
    left.barh(names, shares[label], left=ends[label] - shares[label], color=color, label=label)
left.set(xlabel="share of new lesions", ylabel="coverage asked for", xlim=(0, 1))
left.invert_yaxis()
figure.legend(loc="outside upper left", ncols=4, frameon=False)

for label, color in zip(covered, ("#56B4E9", "#D55E00"), strict=True):
    right.plot(levels, covered[label], "o-", color=color, label=f"{label} lesions")
right.plot(levels, levels, color="grey", linestyle=":", label="asked for")
right.set(xlabel="coverage asked for", ylabel="coverage on new lesions")
right.legend(frameon=False)
