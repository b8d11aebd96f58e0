"""Leakage: near-duplicates, training membership, acquisition facts, split and target audits."""

from hybridlesion.leakage.acquisition import acquisition_facts, find_acquisition
from hybridlesion.leakage.audit import Finding, LeakAudit, Severity
from hybridlesion.leakage.near_duplicates import cluster_lookalikes, cluster_looks, looks_of
from hybridlesion.leakage.perceptual_hash import (
    FINGERPRINT_BYTES,
    LOOK_COLUMNS,
    SAME_LOOK,
    fingerprint,
    fingerprint_numbers,
    fingerprints_of,
    small_grey,
)
from hybridlesion.leakage.splits import BONDS, find_parted
from hybridlesion.leakage.targets import (
    find_answers,
    find_idle,
    find_named_leaks,
    find_suspicious,
)
from hybridlesion.leakage.training_membership import (
    CNN_SEEN,
    Match,
    Seen,
    hash_ids,
    leave_out_optimistic,
    optimistic_rows,
    without_optimistic_scores,
)

__all__ = [
    "BONDS",
    "CNN_SEEN",
    "FINGERPRINT_BYTES",
    "LOOK_COLUMNS",
    "SAME_LOOK",
    "Finding",
    "LeakAudit",
    "Match",
    "Seen",
    "Severity",
    "acquisition_facts",
    "cluster_lookalikes",
    "cluster_looks",
    "find_acquisition",
    "find_answers",
    "find_idle",
    "find_named_leaks",
    "find_parted",
    "find_suspicious",
    "fingerprint",
    "fingerprint_numbers",
    "fingerprints_of",
    "hash_ids",
    "leave_out_optimistic",
    "looks_of",
    "optimistic_rows",
    "small_grey",
    "without_optimistic_scores",
]
