"""The contract of a layer, and the one place that validates what it receives."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np

from cinc_ref import _validate
from cinc_ref._autodiff import as_array, value_of
from cinc_ref._params import Template, check_params, check_same_dtype
from cinc_ref._typing import Array, FloatArray, FloatArrayLike, Seed
from cinc_ref.primitives.program import batch_first_view

__all__ = ["Bijection", "Shape", "per_image", "store", "template"]

Shape: TypeAlias = tuple[int, ...]
"""Channels, height and width of an image."""


@dataclass(frozen=True)
class Bijection:
    r"""An invertible map of images, :math:`y = f(x)`.

    A layer holds configuration only. Its parameters are a tree of dicts, lists and tuples with
    float arrays as leaves, made by `init` and handed to `forward` and `inverse`. Both are pure
    functions that autograd differentiates, in reverse and forward mode, to any order.

    **Subclass contract.** A subclass is a frozen dataclass that defines these hooks. Images and
    parameters are validated before the first three are called, so they hold mathematics only.

    - ``_init(rng, x)`` returns the parameters for a batch x; by default none, ``{}``. Their
      structure and shapes may depend on the layer and on the shape (C, H, W) of x only: the
      parameters that are passed to `forward` and `inverse` are compared with them.
    - ``_forward(params, x)`` returns y and the log-determinants, shape (N,); required.
    - ``_inverse(params, y)`` returns x and minus the log-determinants; required.
    - ``output_shape(shape)`` returns the shape (C', H', W') of `forward` on images (C, H, W), or
      raises `ShapeError` where they do not fit the layer; by default the shape does not change.
    - ``input_shape(shape)`` does this for `inverse`; by default it is `output_shape`.
    - ``channels_of(params)`` returns the number of channels for which parameters were made, or
      None for any.
    - ``steps(params)`` lists the layers of a composition; by default there are none.
    - ``_record(program, params, x, inverse)`` appends the calls of either direction to a `Program`,
      for the sampler of a flow; by default a call of ``_forward`` or ``_inverse``.
    - ``convolutions(params)`` lists the invertible convolutions that a layer applies to groups of
      channels; by default there are none. The diagnostics of a flow are about these.

    Examples
    --------
    A layer that multiplies every entry of an image by a constant:

    >>> from dataclasses import dataclass
    >>> import numpy as np
    >>> from cinc_ref.bijections import Bijection
    >>> @dataclass(frozen=True)
    ... class Scale(Bijection):
    ...     factor: float = 2.0
    ...
    ...     def _log_det(self, images):
    ...         return np.full(len(images), images[0].size * np.log(self.factor))
    ...
    ...     def _forward(self, params, x):
    ...         return self.factor * x, self._log_det(x)
    ...
    ...     def _inverse(self, params, y):
    ...         return y / self.factor, -self._log_det(y)
    >>> y, log_det = Scale().forward({}, np.ones((1, 1, 2, 2)))
    >>> y[0, 0, 0], bool(np.isclose(log_det[0], 4 * np.log(2)))
    (array([2., 2.]), True)
    """

    def init(self, rng: Seed, x: FloatArrayLike) -> Any:
        """Make the initial parameters for images of this shape and dtype.

        Parameters
        ----------
        rng : numpy.random.Generator, int or None
            Source of the random entries; whatever `numpy.random.default_rng` takes.
        x : array_like, shape (N, C, H, W)
            A batch of data, float32 or float64; layers that normalize start from its statistics.

        Returns
        -------
        params : tree of ndarray, dtype of x

        Raises
        ------
        ShapeError, DtypeError
            If the images do not fit the layer.
        OptionError
            If `rng` is no seed.
        """
        x = _check_images(x, "x")
        self.output_shape(x.shape[1:])
        return self._init(_validate.generator("rng", rng), x)

    def forward(self, params: Any, x: FloatArrayLike) -> tuple[Array, Array]:
        r"""Map images towards the latent: y = f(x).

        Parameters
        ----------
        params : tree of ndarray
            Parameters as `init` returns them.
        x : array_like, shape (N, C, H, W), dtype of the parameters

        Returns
        -------
        y : ndarray, shape (N, C', H', W'), dtype of x
        log_det : ndarray, shape (N,), dtype of x
            :math:`\log|\det \partial y / \partial x|` of each image, in nats.

        Raises
        ------
        ShapeError, DtypeError
            If the images do not fit the layer, or have another dtype than the parameters.
        ParamsError
            If the parameters do not fit the layer on these images, or are not finite.
        """
        x = _check_images(x, "x")
        self.output_shape(x.shape[1:])
        self._check_params(params, x, "x", x.shape[1:])
        return self._forward(params, x)

    def inverse(self, params: Any, y: FloatArrayLike) -> tuple[Array, Array]:
        r"""Map back from the latent: the x with forward(params, x) = y.

        Parameters
        ----------
        params : tree of ndarray
            Parameters as `init` returns them.
        y : array_like, shape (N, C', H', W'), dtype of the parameters

        Returns
        -------
        x : ndarray, shape (N, C, H, W), dtype of y
        log_det : ndarray, shape (N,), dtype of y
            :math:`\log|\det \partial x / \partial y|` in nats: minus that of `forward`.

        Raises
        ------
        ShapeError, DtypeError
            If the images do not fit the layer, or have another dtype than the parameters.
        ParamsError
            If the parameters do not fit the layer on these images, or are not finite.
        SingularKernelError
            If a convolution with a "dense" corner block has become singular.
        """
        y = _check_images(y, "y")
        self._check_params(params, y, "y", self.input_shape(y.shape[1:]))
        return self._inverse(params, y)

    def output_shape(self, shape: Shape) -> Shape:
        """Return the shape of `forward` on images of a shape.

        Parameters
        ----------
        shape : (int, int, int)
            (C, H, W) of one image.

        Returns
        -------
        (int, int, int)
            (C', H', W').

        Raises
        ------
        ShapeError
            If such images do not fit the layer.
        """
        return shape

    def input_shape(self, shape: Shape) -> Shape:
        """Return the shape of `inverse` on images of a shape.

        Parameters
        ----------
        shape : (int, int, int)
            (C', H', W') of one image.

        Returns
        -------
        (int, int, int)
            (C, H, W).

        Raises
        ------
        ShapeError
            If such images do not fit the layer.
        """
        return self.output_shape(shape)

    def channels_of(self, params: Any) -> int | None:
        """Return the number of channels for which parameters were made.

        Parameters
        ----------
        params : tree of ndarray

        Returns
        -------
        int or None
            None if the parameters fit any number of channels.
        """
        return None

    def steps(self, params: Any) -> tuple[tuple["Bijection", Any], ...]:
        """List the layers of a composition.

        Parameters
        ----------
        params : tree of ndarray

        Returns
        -------
        tuple of (Bijection, tree of ndarray)
            Each layer with its parameters, the first applied first; empty if the layer is no
            composition.
        """
        return ()

    def convolutions(self, params: Any) -> tuple[tuple["Bijection", Any, tuple[int, int]], ...]:
        """List the invertible convolutions that the layer applies to groups of channels.

        Parameters
        ----------
        params : tree of ndarray

        Returns
        -------
        tuple of (InvertibleConv, tree of ndarray, (int, int))
            Each convolution with its parameters and the (start, stop) of its channels; empty if
            the layer applies none.
        """
        return ()

    def _init(self, rng, x):
        return {}

    def _record(self, program, params, x, inverse):
        """Return the array of the result (C, H, W, N), and its log-determinants unless inverse.

        The calls may change x. Log-determinants are None unless `program.density`.
        """
        shape = (self.input_shape if inverse else self.output_shape)(x.shape[:3])
        y, log_det = program.array((*shape, program.count)), program.array((program.count,))
        program.add(_apply, self._inverse if inverse else self._forward, params, x, y, log_det)
        return y, log_det if program.density else None

    def _template(self, shape):
        """Return parameters, of any values, for images of a shape (C, H, W)."""
        rng = np.random.default_rng(0)
        return self._init(rng, rng.uniform(-0.5, 0.5, (2, *shape)))

    def _check_params(self, params, images, name, shape):
        """Refuse parameters unless they fit images (N, C, H, W) that `forward` takes as `shape`."""
        dtype = check_params(
            params, template(self, shape), lambda: self._expectation(params, images.shape)
        )
        check_same_dtype(value_of(images), name, dtype)

    def _expectation(self, params, shape):
        """Begin the message about wrong parameters, which may as well be wrong images."""
        layer = type(self).__name__
        try:
            channels = self.channels_of(params)
        except (TypeError, KeyError, IndexError, AttributeError):
            channels = None
        if channels not in (None, shape[1]):
            advice = _validate.channels_last_advice(shape, channels, "images")
            return (
                f"{layer} has parameters for {channels} channels; "
                f"got images of shape {shape}{advice}"
            )
        return f"params must fit {layer} and images of shape {shape}"


def _apply(direction, params, x, y, log_det):
    """Write the result of a direction of a layer, both (C, H, W, N), and the log-determinants."""
    images, log_det[:] = direction(params, batch_first_view(x))
    y[...] = images.transpose(1, 2, 3, 0)


def template(layer: Bijection, shape: Shape) -> Template:
    """Return the template of a layer's parameters for images of a shape (C, H, W)."""
    try:
        hash(layer)
    except TypeError:  # a field of somebody's layer is a list or an array
        return Template.of(layer._template(shape))
    return _known_template(layer, shape)


@lru_cache(maxsize=1024)
def _known_template(layer, shape):
    return Template.of(layer._template(shape))


def per_image(log_det: Any, images: Array) -> FloatArray:
    """Repeat a log-determinant that holds for every image: an array of shape (N,)."""
    return log_det * np.ones(images.shape[0], value_of(images).dtype)


def store(layer: object, **options: Any) -> None:
    """Store validated options in a frozen dataclass."""
    for name, value in options.items():
        object.__setattr__(layer, name, value)


def _check_images(images, name):
    images = as_array(images, name)
    value = value_of(images)
    _validate.check_batch_shape(value, name)
    _validate.check_float(value, name)
    return images
