"""Linear discriminant that turns an embedding into one score, cross-fitted over folds."""

from __future__ import annotations

import numpy as np

from hybridlesion.metrics import roc_auc

SHRINKAGES = (0.05, 0.2, 0.5, 0.8, 0.95)


class EmbeddingDiscriminant:
    """Regularised linear discriminant analysis of a wide embedding.

    Trees, which split one column at a time, overfit to a thousand embedding columns; one linear
    score summarises them. The score of a training row must come from a discriminant fitted without
    the row's fold, which `cross_fit` provides: it sums the moments of each fold once, so that
    leaving out folds takes only a subtraction.

    Parameters
    ----------
    shrinkages : tuple of float, default=(0.05, 0.2, 0.5, 0.8, 0.95)
        Weights of the identity against the within-class correlation, above 0 and up to 1; the value
        with the highest cross-fitted AUC on the training folds is used.

    Attributes
    ----------
    coef_ : ndarray of shape (d,)
        Weights of the embedding columns.
    intercept_ : float
        Constant; the score is 0 halfway between the class means.
    shrinkage_ : float
        The shrinkage chosen.

    References
    ----------
    .. [1] J. H. Friedman, "Regularized discriminant analysis", Journal of the American
       Statistical Association 84, 165-175, 1989.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> y, folds = np.arange(90) % 2 == 0, np.arange(90) % 3
    >>> X = rng.normal(size=(90, 4)) + 3 * y[:, None]
    >>> probe, inner = EmbeddingDiscriminant.cross_fit(X, y, folds)[0]
    >>> bool(np.isnan(inner[folds == 0]).all()), probe.score(X[folds == 0]).shape
    (True, (30,))
    """

    coef_: np.ndarray
    intercept_: float
    shrinkage_: float

    def __init__(self, shrinkages: tuple[float, ...] = SHRINKAGES):
        self.shrinkages = shrinkages

    @classmethod
    def cross_fit(
        cls,
        X: np.ndarray,
        y: np.ndarray,
        folds: np.ndarray,
        *,
        shrinkages: tuple[float, ...] = SHRINKAGES,
    ) -> list[tuple[EmbeddingDiscriminant, np.ndarray]]:
        """Fit one discriminant per fold, with out-of-fold scores for its training rows.

        Parameters
        ----------
        X : ndarray of shape (n, d), float
            Embeddings; rows with a missing value are left out and score NaN.
        y : ndarray of shape (n,), bool
            Target.
        folds : ndarray of shape (n,), int
            Grouped fold of each row; at least three folds.
        shrinkages : tuple of float, default=(0.05, 0.2, 0.5, 0.8, 0.95)
            Candidate values. Choosing among them makes the training scores slightly optimistic (AUC
            of noise 0.51), but not the scores of the fold left out.

        Returns
        -------
        list of (EmbeddingDiscriminant, ndarray of shape (n,))
            For each fold k, the discriminant fitted to all other folds, and the scores of their
            rows. Rows of fold j are scored by the discriminant fitted to the folds other than j and
            k; rows of fold k are NaN.

        Raises
        ------
        ValueError
            If there are fewer than three folds, or two folds contain every row of a class.
        """
        n_folds = int(folds.max()) + 1
        if n_folds < 3:
            raise ValueError(f"an embedding needs at least 3 folds, got {n_folds}.")
        usable = ~np.isnan(X).any(axis=1)
        centre = X[usable].mean(axis=0) if usable.any() else np.zeros(X.shape[1])
        # Only usable rows are summed; centring them keeps the sums of squares exact in float64.
        rows = [usable & (folds == k) for k in range(n_folds)]
        moments = [_moments(X[fold] - centre, y[fold]) for fold in rows]
        total = [sum(parts[1:], parts[0]) for parts in zip(*moments, strict=True)]
        # Weights followed by the constant for each shrinkage, without one or two folds.
        without: dict[frozenset[int], list[np.ndarray]] = {}
        for k in range(n_folds):
            rest = [whole - part for whole, part in zip(total, moments[k], strict=True)]
            without[frozenset((k,))] = _discriminants(rest, shrinkages)
            for j in range(k):
                left = [whole - part for whole, part in zip(rest, moments[j], strict=True)]
                without[frozenset((j, k))] = _discriminants(left, shrinkages)
        fitted = []
        for k in range(n_folds):
            # The shrinkage whose inner scores rank best, without the rows of fold k.
            inner = np.full((len(shrinkages), len(y)), np.nan)
            for j in set(range(n_folds)) - {k}:
                for candidate, plane in enumerate(without[frozenset((j, k))]):
                    inner[candidate, rows[j]] = (X[rows[j]] - centre) @ plane[:-1] + plane[-1]
            seen = usable & (folds != k)
            best = int(np.argmax([roc_auc(y[seen], scores[seen]) for scores in inner]))
            plane = without[frozenset((k,))][best]
            one = cls(shrinkages)
            one.shrinkage_, one.coef_ = shrinkages[best], plane[:-1]
            one.intercept_ = float(plane[-1] - centre @ plane[:-1])
            fitted.append((one, inner[best]))
        return fitted

    def score(self, X: np.ndarray) -> np.ndarray:
        """Score embeddings.

        Parameters
        ----------
        X : ndarray of shape (n, d), float
            Embeddings.

        Returns
        -------
        ndarray of shape (n,), float64
            Scores; the higher, the more likely malignant. NaN for rows with a missing value.
        """
        # Row by row: the last bit of a matrix product depends on how many rows there are.
        return np.einsum("ij,j->i", X, self.coef_) + self.intercept_


def _moments(X: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Counts and sums by class, and sums of squares: additive over rows."""
    X = np.asarray(X, dtype=np.float64)
    n = np.array([(~y).sum(), y.sum()])
    return n, np.array([X[~y].sum(axis=0), X[y].sum(axis=0)]), X.T @ X


def _discriminants(moments: list[np.ndarray], shrinkages: tuple[float, ...]) -> list[np.ndarray]:
    n, sums, squares = moments
    if (n == 0).any():
        raise ValueError(
            "two folds contain every usable row of a class, so an embedding cannot be scored "
            "inside a fold. Lower n_splits, add more patients, or leave the emb__ columns out."
        )
    means = sums / n[:, None]
    within = squares - (n[:, None] * means).T @ means
    spread = np.sqrt(np.maximum(np.diag(within), 0) / n.sum())
    constant = spread <= 1e-9 * (1 + np.abs(means).max())
    scale = np.where(constant, np.inf, spread)
    correlation = within / n.sum() / np.outer(scale, scale)
    difference = (means[1] - means[0]) / scale
    planes = []
    for shrinkage in shrinkages:
        shrunk = (1 - shrinkage) * correlation
        shrunk[np.diag_indices_from(shrunk)] += shrinkage
        weights = np.linalg.solve(shrunk, difference) / scale
        planes.append(np.append(weights, -weights @ means.mean(axis=0)))
    return planes


# Name used in artifacts and imports of earlier releases.
EmbeddingProbe = EmbeddingDiscriminant
