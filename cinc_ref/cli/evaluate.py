"""``python -m cinc_ref evaluate``."""

from math import isfinite
from typing import Annotated

from cinc_ref.cli._common import (
    describe,
    grey_levels,
    images_of_model,
    load_model,
    print_figures,
    say,
)
from cinc_ref.cli._options import DataOfRun, DataPath, Model, check_data, integer_option
from cinc_ref.errors import NonFiniteError
from cinc_ref.evaluation import evaluate as evaluate_flow
from cinc_ref.flows.conditioning import worst_conditioned

__all__ = ["evaluate"]


def evaluate(
    model: Model,
    data: DataOfRun = None,
    path: DataPath = None,
    seed: Annotated[
        int, integer_option("--seed", "Seed of the noise.", minimum=0, maximum=None)
    ] = 0,
) -> None:
    """Evaluate a trained model on the test images, which it has never seen.

    The images are those of the run, and are compared with what it remembers of them.

    Bits/dim is the average number of bits that a grey level costs when the model encodes it. The
    inversion error is the largest difference, over all pixels, between an image and the image that
    the flow decodes from its latents.
    """
    check_data(data, path)
    flow, params = load_model(model)
    images = images_of_model(model, flow, data, path)
    evaluation = evaluate_flow(flow, params, images.test, seed=seed)
    if not isfinite(evaluation.bits_per_dim):
        raise NonFiniteError(
            f"bits/dim must be finite; got {evaluation.bits_per_dim}: the model overflows on "
            f"images of {images.name}"
        )
    layer, condition, digits = worst_conditioned(flow, params)
    say(describe(flow))
    say(f"{evaluation.images:,} test images of {images.name}:")
    print_figures(
        [
            (
                f"bits/dim, mean and deviation of {evaluation.draws} noise draws",
                f"{evaluation.bits_per_dim:.4f} ± {evaluation.standard_deviation:.4f}",
            ),
            ("largest inversion error", grey_levels(evaluation.largest_error)),
            (
                f"worst condition number, {layer}",
                f"{condition:.1e}, keeps {digits:.1f} digits",
            ),
            ("seconds", f"{evaluation.seconds:.1f}"),
        ]
    )
