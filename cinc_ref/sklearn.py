"""A flow as a density estimator of scikit-learn: images are rows of features.

The estimator works in pipelines, in cross-validation and in searches of parameters. All that it
computes is `cinc_ref.flows.Flow` and `cinc_ref.train`.
"""

from math import isqrt
from typing import Any

import numpy as np

from cinc_ref import _validate
from cinc_ref._extras import extra
from cinc_ref._typing import FloatArray, IntegerArray, Params, RealArray
from cinc_ref.errors import OptionError
from cinc_ref.evaluation import cast
from cinc_ref.flows import Flow, build, quantize
from cinc_ref.flows.systems import CouplingName, SystemName
from cinc_ref.training import train

with extra("sklearn"):
    from sklearn.base import BaseEstimator, DensityMixin
    from sklearn.utils import check_random_state
    from sklearn.utils.validation import check_is_fitted, validate_data

__all__ = ["EXPECTED_FAILED_CHECKS", "FlowDensity"]

_NO_IMAGE = "its data have 2, 3, 5 or 10 features, which are the pixels of no image of even sides"

EXPECTED_FAILED_CHECKS: dict[str, str] = dict.fromkeys(
    """
    check_dict_unchanged check_dont_overwrite_parameters check_dtype_object
    check_estimators_dtypes check_estimators_fit_returns_self check_estimators_nan_inf
    check_estimators_overwrite_params check_estimators_pickle check_f_contiguous_array_estimator
    check_fit2d_predict1d check_fit_check_is_fitted check_fit_idempotent
    check_fit_score_takes_y check_methods_sample_order_invariance
    check_methods_subset_invariance check_n_features_in check_pipeline_consistency
    check_readonly_memmap_input
    """.split(),
    _NO_IMAGE,
)
"""The checks of scikit-learn that `FlowDensity` cannot pass, each with its reason; the argument
``expected_failed_checks`` of ``sklearn.utils.estimator_checks.check_estimator``."""

CONTINUOUS_BINS = 256
"""Bins into which features are cut for training where `bins` is not given; 8 bits, as in images."""

MAX_LEVELS = 2
"""Levels of the flow, at most, where `levels` is not given, as in `cinc_ref.flows.build`."""

ROWS = 500
"""Images whose density is computed at a time."""


class FlowDensity(DensityMixin, BaseEstimator):
    r"""A density of images that are rows of a matrix, estimated by a multi-scale flow.

    One affine map, u = (x - low) / (high - low) - 1/2, takes features to [-1/2, 1/2), and the flow
    has a density of u, so that

    .. math::
        \log p(x) = \log p_{\mathrm{flow}}(u) - D \log(\text{high} - \text{low}).

    With `bins`, features are grey levels 0, 1, ..., bins - 1, and low = -1/2, high = bins - 1/2: a
    level is the middle of its bin. Without, they are continuous; low and high are the least and the
    greatest feature of the training data, and features beyond have a density as well. The flow is
    trained on the bins, 256 of them if features are continuous, with uniform noise in each.

    A high density is no proof that an image is like those of the training data: flows give a high
    one to smooth images of any kind.

    Parameters
    ----------
    shape : (int, int, int), optional
        (C, H, W) of an image, whose features are in this order; H and W are even. By default one
        channel, and a square.
    bins : int, optional
        Number of grey levels; 17 for scikit-learn's digits. By default features are continuous.
    system, coupling : str
        As in `cinc_ref.flows.build`.
    levels : int, optional
        As in `cinc_ref.flows.build`; by default 2, or 1 if height or width allow no more.
    depth, width : int
        As in `cinc_ref.flows.build`.
    stable : bool
        As in `cinc_ref.flows.build`.
    steps : int, optional
        Budget of steps of training. With steps alone a fit can be repeated bit for bit.
    minutes : float, optional
        Budget of time; with both, the first to be spent ends the training.
    learning_rate, batch_size, dropout
        As in `cinc_ref.train`.
    validation_fraction : float
        Part of the rows on which the parameters are chosen among those of the training; the flow
        does not learn from them.
    random_state : int, RandomState or None
        Seed of everything random in `fit`.

    Attributes
    ----------
    flow_ : Flow
        The flow.
    params_ : dict
        Its parameters, in float64.
    low_, high_ : float
        The features that the map takes to -1/2 and 1/2.
    n_features_in_ : int
        Number of features, D.
    feature_names_in_ : ndarray of str
        Names of the features, if X had such.

    Examples
    --------
    >>> import numpy as np
    >>> from cinc_ref.sklearn import FlowDensity
    >>> X = np.random.default_rng(0).binomial(3, 0.5, (40, 16))
    >>> density = FlowDensity(bins=4, depth=1, width=4, steps=5, random_state=0).fit(X)
    >>> density.flow_.image_shape, density.score_samples(X).shape, density.sample(3).shape
    ((1, 4, 4), (40,), (3, 16))
    """

    shape: tuple[int, int, int] | None
    bins: int | None
    system: SystemName
    coupling: CouplingName
    levels: int | None
    depth: int
    width: int
    stable: bool
    steps: int | None
    minutes: float | None
    learning_rate: float
    batch_size: int
    dropout: float
    validation_fraction: float
    random_state: int | np.random.RandomState | None
    flow_: Flow
    params_: Params
    low_: float
    high_: float
    n_features_in_: int

    def __init__(
        self,
        shape: tuple[int, int, int] | None = None,
        *,
        bins: int | None = None,
        system: SystemName = "cinc",
        coupling: CouplingName = "affine",
        levels: int | None = None,
        depth: int = 4,
        width: int = 32,
        stable: bool = False,
        steps: int | None = 500,
        minutes: float | None = None,
        learning_rate: float = 5e-3,
        batch_size: int = 128,
        dropout: float = 0.2,
        validation_fraction: float = 0.1,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.shape, self.bins = shape, bins
        self.system, self.coupling = system, coupling
        self.levels, self.depth, self.width, self.stable = levels, depth, width, stable
        self.steps, self.minutes = steps, minutes
        self.learning_rate, self.batch_size, self.dropout = learning_rate, batch_size, dropout
        self.validation_fraction, self.random_state = validation_fraction, random_state

    def fit(self, X: RealArray, y: object = None) -> "FlowDensity":
        """Train a flow on the rows of a matrix.

        Parameters
        ----------
        X : array_like, shape (n_samples, n_features)
            At least two rows.
        y : None
            Ignored.

        Returns
        -------
        FlowDensity
            The estimator itself.

        Raises
        ------
        ValueError
            If X is no matrix of finite numbers.
        OptionError, ShapeError, DtypeError
            If the columns of X are no image, it holds other levels than those of `bins`, or an
            option is impossible; each is a ValueError.
        NonFiniteError, ParamsError
            If the training diverges.
        DataError, OutputError, CincError
            As `cinc_ref.train` raises them.
        """
        X = validate_data(self, X, dtype=np.float64, ensure_min_samples=2)
        fraction = _validate.number(
            "validation_fraction", self.validation_fraction, above=0, below=1
        )
        shape = self._image_shape(X.shape[1])
        bins = CONTINUOUS_BINS if self.bins is None else self.bins
        self.flow_ = build(
            self.system,
            self.coupling,
            shape,
            levels=_levels(shape) if self.levels is None else self.levels,
            depth=self.depth,
            width=self.width,
            bins=bins,
            stable=self.stable,
        )
        self.low_, self.high_ = _range(X) if self.bins is None else (-0.5, bins - 0.5)
        images = self._images(X)
        random = check_random_state(self.random_state)
        order = random.permutation(len(images))
        validation = min(max(1, round(fraction * len(images))), len(images) - 1)
        result = train(
            self.flow_,
            images[order[validation:]],
            images[order[:validation]],
            steps=self.steps,
            minutes=self.minutes,
            learning_rate=self.learning_rate,
            batch_size=self.batch_size,
            dropout=self.dropout,
            patience=None,
            seed=int(random.randint(2**31 - 1)),
        )
        self.params_ = cast(result.params, np.float64)
        return self

    def score_samples(self, X: RealArray) -> FloatArray:
        """Compute the log-density of each row, in nats and in the units of X.

        With `bins` this is the log-density at the middle of a level's bin, whose volume is 1;
        `bits_per_dim` bounds the probability of the level itself.

        Parameters
        ----------
        X : array_like, shape (n_samples, n_features)

        Returns
        -------
        ndarray, shape (n_samples,)

        Raises
        ------
        NotFittedError
            Before `fit`.
        ValueError
            If X is no matrix of finite numbers with the features of the training, or holds other
            levels than those of `bins`.
        """
        X = self._validated(X)
        u = self._unit(X).reshape(len(X), *self.flow_.image_shape)
        parts = (u[start : start + ROWS] for start in range(0, len(u), ROWS))
        log_prob = np.concatenate([self.flow_.log_prob(self.params_, part) for part in parts])
        return log_prob - X.shape[1] * np.log(self.high_ - self.low_)

    def score(self, X: RealArray, y: object = None) -> float:
        """Compute the mean log-density of the rows, in nats.

        Parameters
        ----------
        X : array_like, shape (n_samples, n_features)
        y : None
            Ignored.

        Returns
        -------
        float
            As for scikit-learn's ``GaussianMixture`` the mean, not the sum.

        Raises
        ------
        NotFittedError, ValueError
            As `score_samples` raises them.
        """
        return float(np.mean(self.score_samples(X)))

    def bits_per_dim(
        self, X: RealArray, random_state: int | np.random.RandomState | None = 0
    ) -> FloatArray:
        """Compute the bits per dimension of each row, cut into bins and dequantized.

        This is the figure of the literature on flows: an upper bound of the code length of the
        levels. Continuous features are cut into 256 bins from `low_` to `high_`; what is beyond is
        counted to the outermost.

        Parameters
        ----------
        X : array_like, shape (n_samples, n_features)
        random_state : int, RandomState or None
            Seed of the noise.

        Returns
        -------
        ndarray, shape (n_samples,)

        Raises
        ------
        NotFittedError, ValueError
            As `score_samples` raises them.
        """
        images = self._images(self._validated(X))
        rng = _generator(random_state)
        parts = (images[start : start + ROWS] for start in range(0, len(images), ROWS))
        bits = [self.flow_.bits_per_dim(self.params_, part, rng) for part in parts]
        return np.concatenate(bits)

    def sample(
        self, n_samples: int = 1, random_state: int | np.random.RandomState | None = None
    ) -> FloatArray:
        """Draw rows from the density.

        Parameters
        ----------
        n_samples : int
            Number of rows, at least 1.
        random_state : int, RandomState or None
            Seed of the latents.

        Returns
        -------
        ndarray, shape (n_samples, n_features)
            With `bins` levels, clipped and rounded down; otherwise unclipped.

        Raises
        ------
        NotFittedError
            Before `fit`.
        OptionError
            If `n_samples` is no integer >= 1.
        DtypeError, ShapeError
            As `cinc_ref.flows.quantize` raises them.
        """
        check_is_fitted(self)
        n_samples = _validate.integer("n_samples", n_samples, minimum=1)
        self.flow_._check_count("n_samples", n_samples, self.params_["top"]["mean"].dtype)
        u = self.flow_.sample(self.params_, _generator(random_state), n_samples)
        u = u.reshape(n_samples, -1)
        if self.bins is not None:
            return quantize(u, self.flow_.bins).astype(np.float64)
        return self.low_ + (u + 0.5) * (self.high_ - self.low_)

    def _validated(self, X):
        check_is_fitted(self)
        return validate_data(self, X, dtype=np.float64, reset=False)

    def _unit(self, X):
        """Map features to [-1/2, 1/2), after the check of levels."""
        if (
            self.bins is not None
            and not ((X == np.floor(X)) & (X >= 0) & (X < self.flow_.bins)).all()
        ):
            raise OptionError(
                f"X must hold levels from 0 to {self.flow_.bins - 1} for bins={self.bins}; got "
                f"values from {X.min():g} to {X.max():g}: leave out bins for continuous features"
            )
        return (X - self.low_) / (self.high_ - self.low_) - 0.5

    def _images(self, X) -> IntegerArray:
        u = self._unit(X).reshape(len(X), *self.flow_.image_shape)
        return quantize(u, self.flow_.bins)

    def _image_shape(self, features):
        """Return (C, H, W), by default that of a square."""
        if self.shape is None:
            side = isqrt(features)
            if side * side != features or side % 2:
                raise OptionError(
                    "shape must be given, (C, H, W) with even H and W, unless X has the columns of "
                    f"a square of even side; got {features} feature(s)"
                )
            return (1, side, side)
        shape = _validate.integers(self.shape, 3, minimum=1)
        if shape is None or int(np.prod(shape)) != features:
            raise OptionError(
                f"shape must be (C, H, W) with the {features} feature(s) of X; "
                f"got {_validate.shown(self.shape)}"
            )
        return shape


def _levels(shape):
    """Return the number of levels that height and width allow, up to `MAX_LEVELS`."""
    common = int(np.gcd(shape[1], shape[2]))
    return max(1, min(MAX_LEVELS, (common & -common).bit_length() - 1))


def _range(X):
    """Return the least and the greatest feature, or a range of 1 if all are equal."""
    low, high = float(X.min()), float(X.max())
    return (low, high) if high > low else (low - 0.5, low + 0.5)


def _generator(random_state) -> Any:
    """Return the generator of NumPy for one of scikit-learn's seeds."""
    return np.random.default_rng(check_random_state(random_state).randint(2**31 - 1))
