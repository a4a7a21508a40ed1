"""Pictures: what they show, not how they look."""

import io

import numpy as np
import pytest
from matplotlib.colors import to_hex

from cinc_ref import plots
from cinc_ref.errors import DtypeError, OptionError, ShapeError
from cinc_ref.flows import build
from cinc_ref.plots import ANCHOR, image_grid, inverse_figure, loss_figure, matrix_figure
from cinc_ref.theory import convolution_matrix


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def drawn_colours(axes):
    """The face colours of a table of cells, as an array of hexadecimal strings."""
    (mesh,) = axes.collections
    mesh.update_scalarmappable()
    rows, columns = mesh.get_array().shape
    return np.array([to_hex(c) for c in mesh.get_facecolors()]).reshape(rows, columns)


def assert_draws(figure):
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    assert buffer.getvalue().startswith(b"\x89PNG")


def drawn_mosaic(figure):
    """Red, green and blue of the one picture of an image grid."""
    ((image,),) = [axes.images for axes in figure.axes]
    return image.get_array()[..., :3]


def test_image_grid_places_images_row_by_row():
    images = np.arange(1.0, 6).reshape(5, 1, 1, 1) * np.ones((1, 1, 2, 3))
    figure = image_grid(images, columns=3, value_range=(0, 5), title="five")
    mosaic = drawn_mosaic(figure)
    assert mosaic.shape == (2 + 1 + 2, 3 * 3 + 2, 3)  # lines of one pixel between the images
    tops = mosaic[[0, 0, 0, 3, 3], [0, 4, 8, 0, 4]]
    assert np.allclose(tops, np.arange(1, 6)[:, None] / 5, atol=1 / 255)
    assert figure.axes[0].get_title() == "five"
    assert_draws(figure)


def test_image_grid_shows_red_green_and_blue(rng):
    images = rng.uniform(size=(1, 3, 4, 5))
    mosaic = drawn_mosaic(image_grid(images, value_range=(0, 1)))
    assert np.allclose(mosaic, images[0].transpose(1, 2, 0))


def test_image_grid_spans_the_value_range():
    images = np.array([-0.7, -0.5, 0.5, 1.5]).reshape(1, 1, 1, 4)
    mosaic = drawn_mosaic(image_grid(images, value_range=(-0.5, 1.5)))
    assert np.allclose(mosaic[0, :, 0], [0, 0, 0.5, 1], atol=1 / 255)


def test_image_grid_can_draw_ink_on_paper():
    images = np.array([0, 16]).reshape(1, 1, 1, 2)
    assert np.allclose(drawn_mosaic(image_grid(images, cmap="gray_r"))[0, :, 0], [1, 0])


def test_constant_images_can_be_drawn():
    assert_draws(image_grid(np.zeros((1, 1, 2, 2), dtype=np.uint8)))


def test_inverse_figure_has_a_row_an_image_and_the_error_last(rng):
    images = rng.normal(size=(3, 1, 4, 5))
    figure = inverse_figure(images, 2 * images, images + 0.25)
    panels = [axes for axes in figure.axes if axes.images]
    assert len(panels) == 3 * 4
    assert np.allclose(panels[3].images[0].get_array(), 0.25)
    assert_draws(figure)


def test_inverse_figure_takes_other_names():
    images = np.zeros((1, 1, 2, 2))
    figure = inverse_figure(images, images, images, names=("digit", "latents", "decoded"))
    assert [axes.get_title() for axes in figure.axes[:3]] == ["digit", "latents", "decoded"]


def history(validation, train=None):
    return [
        {"step": 10 * k, "seconds": float(k), "train": t, "validation": v}
        for k, (v, t) in enumerate(zip(validation, train or validation, strict=True))
    ]


@pytest.mark.parametrize(("against", "x"), [("seconds", [0, 1, 2]), ("step", [0, 10, 20])])
def test_loss_figure_draws_both_curves_and_marks_the_best(against, x):
    figure = loss_figure(history([4.0, 2.0, 3.0], [4.5, 2.5, 1.5]), against=against)
    train, validation, best = figure.axes[0].lines
    assert np.array_equal(train.get_xydata(), np.stack([x, [4.5, 2.5, 1.5]], axis=1))
    assert np.array_equal(validation.get_xydata(), np.stack([x, [4.0, 2.0, 3.0]], axis=1))
    assert np.array_equal(best.get_xydata(), [[x[1], 2.0]])
    assert_draws(figure)


def test_loss_figure_leaves_out_a_start_far_above_the_rest():
    figure = loss_figure(history([100.0, *np.linspace(3, 2, 20)]))
    low, high = figure.axes[0].get_ylim()
    assert low < 2
    assert 3 < high < 5


def test_loss_figure_of_one_evaluation():
    assert_draws(loss_figure(history([4.0])))


def test_loss_figure_refuses_what_it_cannot_draw():
    with pytest.raises(ShapeError, match="history"):
        loss_figure([])
    with pytest.raises(OptionError, match="seconds, step"):
        loss_figure(history([4.0]), against="hours")


def test_inverse_figure_without_any_error():
    images = np.zeros((1, 1, 2, 2))
    assert_draws(inverse_figure(images, images, images))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"corner": "bottom-right"},
        {"corner": "top-right", "dilation": 2},
        {"anchor": (1, 1)},
    ],
)
@pytest.mark.parametrize("channels", [1, 2])
def test_matrix_figure_colours_every_nonzero_entry_by_its_tap(rng, channels, options):
    kernel = rng.normal(size=(channels, channels, 2, 3))
    if "anchor" in options:
        kernel[:, :, 1, 2] = 0
    figure = matrix_figure(kernel, (4, 5), **options)
    matrix = convolution_matrix(kernel, (4, 5), **options)
    colours = drawn_colours(figure.axes[0])
    legend = drawn_colours(figure.axes[1])
    assert np.array_equal(colours == "#ffffff", matrix == 0)
    for a, b in np.ndindex(2, 3):
        of_tap = np.isin(matrix, kernel[:, :, a, b]) & (matrix != 0)
        assert set(colours[of_tap]) <= {legend[a, b]}
    assert len(np.unique(legend)) == legend.size
    assert_draws(figure)


def test_matrix_figure_paints_the_diagonal_blocks_in_the_anchor_colour(rng):
    colours = drawn_colours(matrix_figure(rng.normal(size=(1, 1, 3, 3)), (3, 4)).axes[0])
    assert set(np.diag(colours)) == {ANCHOR}


def test_axis_labels_name_the_order(rng):
    figure = matrix_figure(rng.normal(size=(2, 2, 2, 2)), (2, 3))
    for label in (figure.axes[0].get_xlabel(), figure.axes[0].get_ylabel()):
        assert "pixel-major" in label
        assert "(i·W + j)·C + c" in label


@pytest.mark.parametrize("shape", [(8, 8), (1, 2, 8, 8), (0, 1, 8, 8)])
def test_image_grid_refuses_other_shapes(shape):
    with pytest.raises(ShapeError, match="got"):
        image_grid(np.zeros(shape))


@pytest.mark.parametrize("shape", [(8, 8), (1, 2, 8, 8), (0, 1, 8, 8), (2, 1, 8, 8)])
def test_inverse_figure_refuses_other_shapes(shape):
    with pytest.raises(ShapeError, match="got"):
        inverse_figure(np.zeros(shape), np.zeros((1, 1, 8, 8)), np.zeros(shape))


def test_matrix_figure_refuses_what_convolution_matrix_refuses():
    with pytest.raises(ShapeError, match="kernel"):
        matrix_figure(np.zeros((3, 3)), (4, 4))


class _Unreadable:
    shape = (2, 1, 4, 4)

    def __array__(self, *_arguments, **_options):
        raise RuntimeError("raw")


@pytest.mark.parametrize(
    "images",
    [
        _Unreadable(), "abc", None, np.full((2, 1, 4, 4), "a"), np.ones((2, 1, 4, 4), object),
        np.ones((2, 1, 4, 4), complex), np.zeros((2, 1, 4, 4), [("a", float)]), [[1, 2], [3]],
        np.ma.masked_less(np.arange(32.0).reshape(2, 1, 4, 4), 3),
    ],
)  # fmt: skip
def test_arrays_that_hold_no_numbers_are_refused(images):
    flow = build("cinc", "affine", (1, 4, 4), levels=1, depth=1, width=4)
    for draw in (
        lambda: plots.image_grid(images),
        lambda: plots.image_table(images, ["a"]),
        lambda: plots.samples_figure(images, flow, temperature=1.0),
        lambda: plots.interpolation_figure(images, flow),
        lambda: plots.temperature_figure(images, flow, [1.0]),
        lambda: plots.inverse_figure(images, images, images),
    ):
        with pytest.raises((DtypeError, ShapeError), match=r"^images must"):
            draw()
