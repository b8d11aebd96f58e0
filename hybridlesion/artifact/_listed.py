"""Every class and function that a model file may name; anything else is refused.

Classes are recreated without running their constructor and then receive their attributes.
Callables are called, each through a rule of ours that looks at its arguments first (`_calls`).
"""

from __future__ import annotations

__all__ = ["LISTED_CALLABLES", "LISTED_CLASSES"]

LISTED_CLASSES = frozenset(
    {
        "hybridlesion.embedding.finetuning.scorer.LesionScorer",
        "hybridlesion.embedding.timm_embedder.TimmEmbedder",
        "hybridlesion.evaluation.intervals.Interval",
        "hybridlesion.model._columns.ColumnEncoder",
        "hybridlesion.model._ensemble.Ensemble",
        "hybridlesion.model._linear.LinearPart",
        "hybridlesion.model._member.Member",
        "hybridlesion.model._views.View",
        "hybridlesion.model.calibration.ScoreCalibrator",
        "hybridlesion.model.conformal.ConformalSets",
        "hybridlesion.model.classifier.HybridLesionClassifier",
        "hybridlesion.model.probe.EmbeddingProbe",
        "hybridlesion.table._featurizer.LesionFeaturizer",
        "lightgbm.basic.Booster",
        "sklearn.isotonic.IsotonicRegression",
        "sklearn.pipeline.Pipeline",
    }
)

LISTED_CALLABLES = frozenset(
    {
        "collections.OrderedDict",
        "collections.defaultdict",
        "hybridlesion.artifact._booster.booster_from_text",
        "hybridlesion.artifact._pickler.frame_from_columns",
        "hybridlesion.artifact._pickler.pipeline_from_steps",
        "numpy._core.multiarray._reconstruct",
        "numpy._core.multiarray.scalar",
        "numpy._core.numeric._frombuffer",
        "numpy.dtype",
        "numpy.ndarray",
    }
)
