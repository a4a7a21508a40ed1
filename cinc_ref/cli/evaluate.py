"""``python -m cinc_ref evaluate``."""

from typing import Annotated

import typer

from cinc_ref.cli.models import Data, DataPath, Model, describe, images_for, load_model
from cinc_ref.cli.printing import figures, levels, say
from cinc_ref.evaluation import evaluate as evaluate_flow
from cinc_ref.flows.conditioning import worst_conditioned


def evaluate(
    model: Model,
    data: Data = "digits",
    path: DataPath = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the noise.")] = 0,
):
    """Judge a trained model by the test images, which it has never seen.

    Bits/dim tell how many bits a grey level costs on average when the model encodes it. The
    inversion error is the largest difference, over all pixels, between an image and what comes
    back when it goes through the whole flow and back.
    """
    flow, params = load_model(model)
    images = images_for(flow, data, path)
    found = evaluate_flow(flow, params, images.test, seed=seed)
    layer, condition, digits = worst_conditioned(flow, params)
    say(describe(flow))
    say(f"{found.images:,} test images of {images.name}:")
    figures(
        [
            (
                f"bits/dim, mean and deviation of {found.draws} noise draws",
                f"{found.bits_per_dim:.4f} ± {found.standard_deviation:.4f}",
            ),
            ("largest inversion error", levels(found.largest_error)),
            (
                f"worst condition number, {layer}",
                f"{condition:.1e}, keeps {digits:.1f} digits",
            ),
            ("seconds", f"{found.seconds:.1f}"),
        ]
    )
