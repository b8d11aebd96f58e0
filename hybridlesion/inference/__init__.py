"""Scoring of new images or feature tables with a fitted model."""

from hybridlesion.inference._score import join_metadata, score_inputs, score_records
from hybridlesion.inference._score_image import (
    REFERENCE_MODEL,
    LesionAnswer,
    MeasuredImage,
    SimilarScores,
    measure_image,
    score_image,
)
from hybridlesion.inference._score_table import (
    check_extras,
    score_table,
    threshold_in_use,
    uses_context,
)

__all__ = [
    "REFERENCE_MODEL",
    "LesionAnswer",
    "MeasuredImage",
    "SimilarScores",
    "check_extras",
    "join_metadata",
    "measure_image",
    "score_image",
    "score_inputs",
    "score_records",
    "score_table",
    "threshold_in_use",
    "uses_context",
]
