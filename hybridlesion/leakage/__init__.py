"""Leakage: near-duplicates, training membership, acquisition, and audits of splits and targets."""

from hybridlesion._former_names import look_up
from hybridlesion.leakage.audit import GROUP_KEYS, Finding, LeakAudit, Severity, find_split_groups
from hybridlesion.leakage.near_duplicates import (
    HASH_BYTES,
    HASH_COLUMNS,
    MAX_HAMMING,
    HashIndex,
    cluster_near_duplicates,
    crop_hashes,
    decode_hashes,
    encode_hash,
    perceptual_hash,
    read_hashes,
)
from hybridlesion.leakage.targets import (
    acquisition_facts,
    find_acquisition_leaks,
    find_constant_columns,
    find_named_leaks,
    find_suspicious_columns,
    find_target_leaks,
)
from hybridlesion.leakage.training_membership import (
    CNN_SEEN,
    Match,
    TrainingMembership,
    blank_in_sample_scores,
    hash_ids,
    hash_training_ids,
    in_sample_mask,
    membership_warning,
    treat_in_sample_scores,
)

__all__ = [
    "CNN_SEEN",
    "GROUP_KEYS",
    "HASH_BYTES",
    "HASH_COLUMNS",
    "MAX_HAMMING",
    "Finding",
    "HashIndex",
    "LeakAudit",
    "Match",
    "Severity",
    "TrainingMembership",
    "acquisition_facts",
    "blank_in_sample_scores",
    "cluster_near_duplicates",
    "crop_hashes",
    "decode_hashes",
    "encode_hash",
    "find_acquisition_leaks",
    "find_constant_columns",
    "find_named_leaks",
    "find_split_groups",
    "find_suspicious_columns",
    "find_target_leaks",
    "hash_ids",
    "hash_training_ids",
    "in_sample_mask",
    "membership_warning",
    "perceptual_hash",
    "read_hashes",
    "treat_in_sample_scores",
]

# Former names, kept for one release.
_FORMER = {
    "FINGERPRINT_BYTES": "HASH_BYTES",
    "LOOK_COLUMNS": "HASH_COLUMNS",
    "Seen": "TrainingMembership",
    "fingerprint": "perceptual_hash",
    "fingerprint_numbers": "encode_hash",
    "fingerprints_of": "decode_hashes",
    "leave_out_optimistic": "blank_in_sample_scores",
    "optimistic_rows": "in_sample_mask",
}


def __getattr__(name: str) -> object:
    return look_up(__name__, name, _FORMER)
