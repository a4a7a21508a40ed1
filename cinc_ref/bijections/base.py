"""The contract of a layer, and the one place where the shapes of its input are checked."""

from dataclasses import dataclass

import numpy as np

from cinc_ref import _validate
from cinc_ref._autodiff import as_array, value_of
from cinc_ref.errors import ShapeError


@dataclass(frozen=True)
class Bijection:
    r"""An invertible map of images, :math:`y = f(x)`.

    A layer holds configuration only. Its parameters are a tree of dicts, lists and tuples with
    float arrays as leaves, made by `init` and handed to `forward` and `inverse`. Both are pure
    functions that autograd differentiates, in reverse and forward mode, to any order.

    A subclass defines `_init`, `_forward` and `_inverse`, which trust their input, and
    `_output_shape`, which says what a (C, H, W) image becomes or raises `ShapeError`.
    """

    def init(self, rng, x):
        """Parameters for images like these.

        Parameters
        ----------
        rng : numpy.random.Generator
        x : array_like, shape (N, C, H, W)
            A batch of data, float32 or float64; layers that normalize start from its statistics.

        Returns
        -------
        params : tree of ndarray, dtype of x
        """
        x = self._checked(x, "x")
        self._output_shape(x.shape[1:])
        return self._init(rng, x)

    def forward(self, params, x):
        r"""Towards the latent: y = f(x).

        Parameters
        ----------
        params : tree of ndarray
            As `init` returns them.
        x : array_like, shape (N, C, H, W), dtype of the parameters

        Returns
        -------
        y : ndarray, shape (N, C', H', W'), dtype of x
        log_det : ndarray, shape (N,), dtype of x
            :math:`\log|\det \partial y / \partial x|` of each image, in nats.

        Raises
        ------
        ShapeError, DtypeError
            If the images do not fit the layer.
        """
        x = self._checked(x, "x")
        self._output_shape(x.shape[1:])
        self._check_params(params, x.shape[1], x.shape)
        return self._forward(params, x)

    def inverse(self, params, y):
        r"""Back from the latent: the x with forward(params, x) = y.

        Parameters
        ----------
        params : tree of ndarray
        y : array_like, shape (N, C', H', W'), dtype of the parameters

        Returns
        -------
        x : ndarray, shape (N, C, H, W), dtype of y
        log_det : ndarray, shape (N,), dtype of y
            :math:`\log|\det \partial x / \partial y|` in nats: minus that of `forward`.

        Raises
        ------
        ShapeError, DtypeError
            If the images do not fit the layer.
        """
        y = self._checked(y, "y")
        shape = self._input_shape(y.shape[1:])
        self._check_params(params, shape[0], y.shape)
        return self._inverse(params, y)

    def _checked(self, images, name):
        images = as_array(images)
        value = value_of(images)
        if value.ndim != 4 or 0 in value.shape[1:]:
            raise ShapeError(
                f"{name} must have shape (N, C, H, W) with C, H, W >= 1; got {value.shape}"
            )
        _validate.check_float(value, name)
        return images

    def _channels_of(self, params):
        """For how many channels these parameters were made, or None if for any."""
        return None

    def _check_params(self, params, channels, shape):
        expected = self._channels_of(params)
        if expected is not None and expected != channels:
            raise ShapeError(
                f"{type(self).__name__} has parameters for {expected} channels; "
                f"got images of shape {shape}"
            )

    def _output_shape(self, shape):
        """(C', H', W') of forward on images (C, H, W), or an error where they do not fit."""
        return shape

    def _input_shape(self, shape):
        """(C, H, W) of inverse on (C', H', W')."""
        return self._output_shape(shape)

    def _init(self, rng, x):
        return {}

    def _steps(self, params):
        """The layers that this one applies one after the other, and their parameters; or none."""
        return ()

    def _convolutions(self, params):
        """(convolution, its parameters, its channels as (start, stop)) of those side by side."""
        return ()


def per_image(log_det, images):
    """One log-determinant that holds for every image, as the array of shape (N,)."""
    return log_det * np.ones(images.shape[0], value_of(images).dtype)
