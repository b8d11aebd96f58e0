"""
Finding a leak before fitting
=============================

Two mistakes make results look better than they are: photographs of one lesion in several folds,
and metadata that encode the diagnosis. ``hybridlesion fit`` looks for both; here the checks are
called one by one.
"""

from tempfile import TemporaryDirectory

import matplotlib.pyplot as plt
import numpy as np
from sklearn.model_selection import KFold

from hybridlesion import make_lesions, read_image
from hybridlesion.leakage import (
    LeakAudit,
    cluster_near_duplicates,
    find_split_groups,
    find_suspicious_columns,
    perceptual_hash,
)
from hybridlesion.model_selection import grouped_folds, grouping

folder = TemporaryDirectory()
records = make_lesions(
    folder.name, n_patients=12, lesions_per_patient=(2, 2), size=(120, 90), malignant_share=0.4
)
images = [read_image(path) for path in records["path"]]

# %%
# First mistake: the first photograph is in the data twice, the second time darker and as an image
# of another patient. Perceptual hashes hardly change under such edits.

copy = (images[0] * 0.8).astype(np.uint8)
table = records.iloc[[*range(len(records)), 0]].reset_index(drop=True)
table.loc[table.index[-1], ["image_id", "patient_id"]] = ["COPY", "SP_0000099"]
hashes = np.array([perceptual_hash(image) for image in [*images, copy]])
table["near_duplicate"] = cluster_near_duplicates(hashes)
print(table.loc[table["near_duplicate"].notna(), ["image_id", "patient_id", "near_duplicate"]])

figure, axes = plt.subplots(1, 2, figsize=(6, 2.5), layout="constrained")
for axis, shown, name in zip(axes, (images[0], copy), table["image_id"].iloc[[0, -1]], strict=True):
    axis.imshow(shown)
    axis.set_title(name)
    axis.set_axis_off()

# %%
# Second mistake: a column that was filled in after the biopsy.

y = table["target"].to_numpy()
table["meta__excision_margin"] = np.where(y, 10.0, 2.0)
table["meta__age"] = table["age"]

# %%
# Random folds split patients and the copied photograph. The checks find this, and the column.

random_folds = np.empty((len(table), 1), dtype=int)
for fold, (_, held_out) in enumerate(KFold(3, shuffle=True, random_state=0).split(table)):
    random_folds[held_out] = fold

findings = find_split_groups(table, random_folds, where="folds", given=True)
findings += find_suspicious_columns(table, y, ["meta__age", "meta__excision_margin"])
print(*LeakAudit(len(table), ("folds", "columns"), tuple(findings)).lines(), sep="\n")

# %%
# Folds of whole patients, joined by near-duplicates, split nothing.

groups = grouping(table, columns=["patient_id", "near_duplicate"])
folds = grouped_folds(y, groups, n_splits=3).reshape(-1, 1)
print(find_split_groups(table, folds, where="folds", given=True))
folder.cleanup()
