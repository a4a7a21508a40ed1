"""The characterizable invertible convolution as a layer whose corner block stays invertible."""

from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, TypeAlias, get_args

import autograd.numpy as anp
import numpy as np
import scipy.linalg

from cinc_ref import _validate
from cinc_ref._autodiff import value_of
from cinc_ref._params import check_params
from cinc_ref._typing import Corner, FloatArray, IntegerArray, Params
from cinc_ref.bijections.base import Bijection, per_image, store, template
from cinc_ref.convolution import log_abs_det
from cinc_ref.errors import OptionError, ParamsError
from cinc_ref.geometry import Geometry, check_geometry
from cinc_ref.kernels.causal.plan import CONV, SOLVE
from cinc_ref.primitives.call import solve
from cinc_ref.primitives.causal import causal_conv
from cinc_ref.primitives.channels import scatter
from cinc_ref.primitives.program import batch_first_view
from cinc_ref.primitives.stable import stable_taps

__all__ = [
    "CORNER_BLOCKS",
    "TRIANGLES",
    "CornerBlock",
    "InvertibleConv",
    "Triangle",
    "rotation",
    "triangles",
]

CornerBlock: TypeAlias = Literal["unit", "triangular", "plu", "dense"]
"""The form of the corner block, which `InvertibleConv` describes."""

CORNER_BLOCKS: tuple[CornerBlock, ...] = get_args(CornerBlock)
"""Forms of the corner block, which `InvertibleConv` describes."""

Triangle: TypeAlias = Literal["lower", "upper"]
"""The triangle of a corner block that is free."""

TRIANGLES: tuple[Triangle, ...] = get_args(Triangle)
"""Triangles of a corner block that can be free."""


@dataclass(frozen=True)
class InvertibleConv(Bijection):
    r"""Causal convolution, y = conv(x, K), whose corner block B is kept invertible.

    .. math::
        \log|\det| = H W \log|\det B|, \qquad B = K[:, :, p, q]

    The other taps are free. B is one of

    - ``"unit"``: lower triangular with ones on the diagonal; log det 0;
    - ``"triangular"``: lower triangular, diagonal :math:`e^{s_n} > 0`; the CInC layer;
    - ``"plu"``: P L (U + diag(:math:`\pm e^{s_n}`)), L unit lower and U strictly upper triangular,
      permutation P and signs fixed by `seed`; nothing of B is masked;
    - ``"dense"``: free, and invertible almost everywhere only.

    Parameters
    ----------
    kernel_size : int or (int, int)
        Height and width of the kernel.
    corner_block : {"unit", "triangular", "plu", "dense"}
        Form of B.
    corner : {"top-left", "top-right", "bottom-left", "bottom-right"}
        The padded image corner.
    dilation : int
        Distance between neighbouring taps, in pixels.
    anchor : (int, int), optional
        Row and column (p, q) of the tap that reads the pixel itself; the bottom-right one unless
        given. Taps after it in raster order are 0.
    seed : int
        Seed of the random rotation at which "plu" and "dense" start.
    stable : bool
        Whether the inverse is kept bounded for every parameter value: the taps are mapped smoothly
        so that the sum of ||B^-1 K_ab||_2 over the taps other than B stays below 0.95. Then
        ||M^-1||_2 <= 20 ||B^-1||_2 on images of every size.
    triangle : {"lower", "upper"}
        Which triangle of a "unit" or "triangular" B is free: whether a channel reads those before
        it or those after it.

    Raises
    ------
    OptionError
        If an option is not as described.

    References
    ----------
    Nagar, Dufraisse and Varma, "CInC Flow", 2021, section 3; for PLU, Kingma and Dhariwal,
    "Glow", 2018, section 3.2.

    Examples
    --------
    >>> import numpy as np
    >>> from cinc_ref.bijections import InvertibleConv
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(2, 3, 5, 4))
    >>> layer = InvertibleConv(corner_block="plu")
    >>> params = layer.init(rng, x)
    >>> y, log_det = layer.forward(params, x)
    >>> bool(np.allclose(layer.inverse(params, y)[0], x))
    True
    >>> InvertibleConv().count_parameters(12)
    1230
    """

    kernel_size: int | tuple[int, int] = 3
    corner_block: CornerBlock = "triangular"
    corner: Corner = "top-left"
    dilation: int = 1
    anchor: tuple[int, int] | None = None
    seed: int = 0
    stable: bool = False
    triangle: Triangle = "lower"

    def __post_init__(self) -> None:
        height, width = size = _check_kernel_size(self.kernel_size)
        geometry = check_geometry(
            np.zeros((1, 1, height, width)), self.corner, self.dilation, self.anchor
        )
        store(
            self,
            kernel_size=size,
            corner_block=_validate.one_of("corner_block", self.corner_block, CORNER_BLOCKS),
            corner=geometry.corner,
            dilation=geometry.dilation,
            anchor=geometry.anchor,
            seed=_validate.integer("seed", self.seed, minimum=0),
            stable=_validate.boolean("stable", self.stable),
            triangle=_validate.one_of("triangle", self.triangle, TRIANGLES),
        )

    @property
    def geometry(self) -> Geometry:
        """Corner, dilation and anchor, as the operations take them."""
        return Geometry(self.corner, self.dilation, self.anchor)

    def count_parameters(self, channels: int) -> int:
        """Count the numbers that are learned for images of some channels.

        Parameters
        ----------
        channels : int

        Returns
        -------
        int

        Raises
        ------
        OptionError
            If `channels` is no integer >= 1.

        Examples
        --------
        >>> from cinc_ref.bijections import InvertibleConv
        >>> InvertibleConv(corner_block="unit").count_parameters(12)
        1218
        """
        channels = _validate.integer("channels", channels, minimum=1)
        free = {"unit": -channels, "triangular": channels}.get(self.corner_block)
        corner = channels**2 if free is None else (channels**2 + free) // 2
        return self._other_taps * channels**2 + corner

    @property
    def _other_taps(self):
        """Number of taps before the anchor in raster order."""
        return self.anchor[0] * self.kernel_size[1] + self.anchor[1]

    def kernel(self, params: Params) -> FloatArray:
        """Compute the kernel from the parameters.

        Parameters
        ----------
        params : dict of ndarray
            Parameters as `init` returns them.

        Returns
        -------
        ndarray, shape (C, C, kh, kw), dtype of the parameters

        Raises
        ------
        ParamsError
            If the parameters do not fit the layer, or are not finite.
        """
        expected = template(self, (_channels_of_taps(params), 1, 1))
        check_params(params, expected, lambda: "params must fit InvertibleConv")
        return self._kernel(params)

    def _kernel(self, params):
        channels = len(params["taps"])
        shape = (channels, channels, *self.kernel_size)
        taps, corner = _flat_indices(shape, self._other_taps)
        with np.errstate(over="ignore", invalid="ignore"):  # the result is checked
            block = self._corner_block(params, channels)
            others = stable_taps(params["taps"], block) if self.stable else params["taps"]
            kernel = scatter(anp.ravel(others), taps, shape)
            kernel = kernel + scatter(anp.ravel(block), corner, shape)
        if not _validate.all_finite(value_of(kernel)):
            raise ParamsError(_overflow(params))
        return kernel

    def _corner_block(self, params, channels):
        if self.corner_block == "dense":
            return params["corner"]
        diagonal, lower, upper = triangles(channels)
        square = (channels, channels)
        one = np.eye(channels, dtype=value_of(params["taps"]).dtype)
        if self.corner_block in ("unit", "triangular"):
            free = {"lower": lower, "upper": upper}[self.triangle]
            strict = scatter(params[self.triangle], free, square)
            if self.corner_block == "unit":
                return one + strict
            return scatter(anp.exp(params["log_diagonal"]), diagonal, square) + strict
        strictly_lower = scatter(params["lower"], lower, square)
        permutation, _, _, signs = rotation(self.seed, channels)
        pivots = signs.astype(one.dtype) * anp.exp(params["log_diagonal"])
        u = scatter(pivots, diagonal, square) + scatter(params["upper"], upper, square)
        return anp.dot(permutation.astype(one.dtype), anp.dot(one + strictly_lower, u))

    def _log_det(self, kernel, params, images):
        height, width = images.shape[2:]
        if self.corner_block == "unit":
            return per_image(0, images)
        if self.corner_block == "dense":
            return per_image(log_abs_det(kernel, (height, width), anchor=self.anchor), images)
        return per_image(height * width * anp.sum(params["log_diagonal"]), images)

    def _init(self, rng, x):
        channels, dtype = x.shape[1], x.dtype
        _, lower, upper = triangles(channels)
        noise = 0.1 / np.sqrt(channels * (self._other_taps + 1))
        params = {"taps": noise * rng.normal(size=(channels, channels, self._other_taps))}
        if self.corner_block in ("unit", "triangular"):
            params[self.triangle] = noise * rng.normal(size=len(lower))
        if self.corner_block == "triangular":
            params["log_diagonal"] = np.zeros(channels)
        if self.corner_block == "plu":
            _, lower_triangle, upper_triangle, _ = rotation(self.seed, channels)
            params["lower"] = lower_triangle.ravel()[lower]
            params["upper"] = upper_triangle.ravel()[upper]
            params["log_diagonal"] = np.log(np.abs(np.diagonal(upper_triangle)))
        if self.corner_block == "dense":
            permutation, lower_triangle, upper_triangle, _ = rotation(self.seed, channels)
            params["corner"] = permutation @ lower_triangle @ upper_triangle
        return {name: value.astype(dtype) for name, value in params.items()}

    def _forward(self, params, x):
        kernel = self._kernel(params)
        return causal_conv(x, kernel, self.geometry), self._log_det(kernel, params, x)

    def _inverse(self, params, y):
        kernel = self._kernel(params)
        return solve(y, kernel, self.geometry), -self._log_det(kernel, params, y)

    def _record(self, program, params, x, inverse):
        y = program.partner(x)
        return y, self._record_into(program, params, x, y, inverse)

    def _record_into(self, program, params, x, y, inverse):
        """Append the call of a direction that writes its result to y; both are (C, H, W, N)."""
        kernel = program.constant(lambda: self._kernel(params))
        program.add_convolution(SOLVE if inverse else CONV, x, y, kernel, self.geometry)
        if not program.density:
            return None
        log_det = self._log_det(kernel, params, batch_first_view(x))
        return -log_det if inverse else log_det

    def channels_of(self, params: Any) -> int:
        """Return the channels of the kernel; see `Bijection.channels_of`."""
        return len(params["taps"])

    def convolutions(self, params: Any) -> tuple[tuple[Bijection, Any, tuple[int, int]], ...]:
        """List the layer itself; see `Bijection.convolutions`."""
        return ((self, params, (0, len(params["taps"]))),)


def _overflow(params):
    """Describe finite parameters whose kernel is not finite; names the largest leaf."""
    leaves = {name: value_of(leaf) for name, leaf in params.items()}
    name = max(leaves, key=lambda name: np.abs(leaves[name]).max(initial=0))
    return (
        f"the parameters of InvertibleConv must give a finite kernel; {name} of up to "
        f"{np.abs(leaves[name]).max():.3g} overflows {leaves[name].dtype.name}"
    )


def _channels_of_taps(params):
    """Return the number of channels that unchecked parameters seem to be made for; 1 if none."""
    try:
        shape = value_of(params["taps"]).shape
    except (TypeError, KeyError, IndexError, ValueError):
        return 1
    return max(1, shape[0]) if len(shape) == 3 and shape[0] == shape[1] else 1


def _check_kernel_size(value):
    """Return (height, width) as two integers, or raise the `OptionError` of `kernel_size`."""
    sides = (value, value) if _validate.is_integer(value) else value
    size = _validate.integers(sides, 2, minimum=1)
    if size is None:
        raise OptionError(
            "kernel_size must be an integer >= 1, or (height, width) of two; "
            f"got {_validate.shown(value)}"
        )
    _validate.check_memory("kernel_size", value, 8 * size[0] * size[1], "use a smaller kernel")
    return size


@cache
def _flat_indices(shape, other_taps):
    """Return the flat indices in a kernel of the taps before the anchor and of the corner block."""
    flat = np.arange(np.prod(shape)).reshape(*shape[:2], -1)
    return flat[:, :, :other_taps].ravel(), flat[:, :, other_taps].ravel()


@cache
def triangles(channels: int) -> tuple[IntegerArray, IntegerArray, IntegerArray]:
    """Return the flat indices of the diagonal and the strict triangles of a (C, C) matrix."""
    flat = np.arange(channels**2).reshape(channels, channels)
    return (
        np.diagonal(flat),
        flat[np.tril_indices(channels, -1)],
        flat[np.triu_indices(channels, 1)],
    )


@cache
def rotation(seed: int, channels: int) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Return P, L, U of a random rotation P L U, and the signs of U's diagonal."""
    normal = np.random.default_rng(seed).normal(size=(channels, channels))
    permutation, lower, upper = scipy.linalg.lu(np.linalg.qr(normal)[0])
    return permutation, lower, upper, np.sign(np.diagonal(upper))
