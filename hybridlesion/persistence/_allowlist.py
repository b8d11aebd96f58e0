"""Every class and function that a model file may name; anything else is refused.

Classes are recreated without running their constructor and then receive their attributes.
Callables are called, each through a rule of ours that looks at its arguments first (`_calls`).
"""

from __future__ import annotations

__all__ = ["FORMER_MODULES", "LISTED_CALLABLES", "LISTED_CLASSES"]

LISTED_CLASSES = frozenset(
    {
        "hybridlesion.cnn.scorer.CNNScorer",
        "hybridlesion.cnn.timm_embedder.TimmEmbedder",
        "hybridlesion.metrics.intervals.Interval",
        "hybridlesion.model._columns.ColumnEncoder",
        "hybridlesion.model._ensemble.Ensemble",
        "hybridlesion.model._fold_model.LinearPart",
        "hybridlesion.model._fold_model.Member",
        "hybridlesion.model._ensemble.View",
        "hybridlesion.model.calibration.ScoreCalibrator",
        "hybridlesion.model.conformal.ConformalSets",
        "hybridlesion.model.classifier.HybridLesionClassifier",
        "hybridlesion.model.embedding_discriminant.EmbeddingProbe",
        "hybridlesion.featurizer._featurizer.LesionFeaturizer",
        "lightgbm.basic.Booster",
        "sklearn.isotonic.IsotonicRegression",
        "sklearn.pipeline.Pipeline",
    }
)

LISTED_CALLABLES = frozenset(
    {
        "collections.OrderedDict",
        "collections.defaultdict",
        "hybridlesion.persistence._state.booster_from_text",
        "hybridlesion.persistence._state.frame_from_columns",
        "hybridlesion.persistence._state.pipeline_from_steps",
        "numpy._core.multiarray._reconstruct",
        "numpy._core.multiarray.scalar",
        "numpy._core.numeric._frombuffer",
        "numpy.dtype",
        "numpy.ndarray",
    }
)

# Files of protocols 1 and 2 name the modules of their release.
FORMER_MODULES = {
    "hybridlesion.artifact._booster": "hybridlesion.persistence._state",
    "hybridlesion.artifact._pickler": "hybridlesion.persistence._state",
    "hybridlesion.cnn.scorer.LesionScorer": "hybridlesion.cnn.scorer.CNNScorer",
    "hybridlesion.embedding.finetuning.scorer": "hybridlesion.cnn.scorer",
    "hybridlesion.embedding.finetuning.scorer.LesionScorer": "hybridlesion.cnn.scorer.CNNScorer",
    "hybridlesion.embedding.timm_embedder": "hybridlesion.cnn.timm_embedder",
    "hybridlesion.evaluation.intervals": "hybridlesion.metrics.intervals",
    "hybridlesion.model._linear": "hybridlesion.model._fold_model",
    "hybridlesion.model._member": "hybridlesion.model._fold_model",
    "hybridlesion.model._views": "hybridlesion.model._ensemble",
    "hybridlesion.model.probe": "hybridlesion.model.embedding_discriminant",
    "hybridlesion.table._featurizer": "hybridlesion.featurizer._featurizer",
}
