"""``python -m cinc_ref demo``."""

from pathlib import Path
from typing import Annotated

from cinc_ref._files import check_folder
from cinc_ref.cli._common import describe, grey_levels, print_figures, say
from cinc_ref.cli._options import folder_option, integer_option, number_option

__all__ = ["demo"]


def demo(
    out: Annotated[
        Path,
        folder_option("--out", "Folder that receives the pictures, the model and the report."),
    ] = Path("demo"),
    minutes: Annotated[
        float | None,
        number_option(
            "--minutes", "Time to train; 100 seconds by default.", above=0, show_default=False
        ),
    ] = None,
    steps: Annotated[
        int | None,
        integer_option("--steps", "Steps to train instead.", minimum=1, show_default=False),
    ] = None,
) -> None:
    """Invert a convolution of real digits; train a flow on them, invert it, sample and time it.

    It takes less than three minutes. Start with report.md in the folder --out. Ctrl-C ends the
    training, and the demonstration continues with the model so far.
    """
    check_folder(out)
    from cinc_ref.demo import run  # draws: slow to import, and an extra of its own

    say("training a flow on handwritten digits ...")
    result = run(out, minutes=minutes, steps=steps, progress=True)
    trips, trained = result.inversion.round_trips, result.trained
    sampling, training = trained.sampling, trained.training
    say(f"one convolution of {len(trips[0].images):,} digits, inverted:")
    print_figures(
        (f"largest error, {trip.dtype}", grey_levels(trip.largest_error)) for trip in trips
    )
    say(f"{describe(training.flow)}, trained for {training.seconds:.0f} s:")
    print_figures(
        [
            (f"{trained.test.images} test digits", f"{trained.test.bits_per_dim:.3f} bits/dim"),
            *(
                (f"through the flow and back, {dtype}", grey_levels(error))
                for dtype, error in trained.errors.items()
            ),
            (f"sampling {len(trained.samples)} digits", f"{1000 * sampling.median:.0f} ms"),
        ]
    )
    say(f"(sampling: median of {len(sampling.seconds)}, {sampling.conditions})")
    for path in result.files:
        say(f"wrote {path}")
