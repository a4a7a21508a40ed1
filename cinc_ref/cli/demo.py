"""``python -m cinc_ref demo``."""

import signal
from pathlib import Path
from typing import Annotated

import typer

from cinc_ref import demo as demonstration
from cinc_ref._files import check_folder
from cinc_ref.cli._common import describe, grey_levels, print_figures, say, stoppable
from cinc_ref.cli._options import folder_option, integer_option, number_option

__all__ = ["demo"]


def demo(
    out: Annotated[
        Path,
        folder_option("--out", "Folder that receives the pictures, the model and the report."),
    ] = Path("demo"),
    minutes: Annotated[
        float,
        number_option(
            "--minutes", "Limit of the time to train, in minutes without compilation.", above=0
        ),
    ] = demonstration.MINUTES,
    steps: Annotated[
        int, integer_option("--steps", "Steps to train.", minimum=1)
    ] = demonstration.STEPS,
) -> None:
    """Invert a convolution of real digits; train a flow on them, invert it, sample and time it.

    It takes two to three minutes, and up to eight where the machine is busy or slow. Start with
    report.md in the folder --out. Ctrl-C or SIGTERM ends the training, and the demonstration
    continues with the model so far; a second one ends it at once. After SIGTERM the exit code is
    143.
    """
    check_folder(out)
    say("inverting a convolution of handwritten digits, then training a flow on them ...")
    with stoppable() as interrupt:
        result = demonstration.run(out, minutes=minutes, steps=steps, progress=True)
    trips, trained = result.inversion.round_trips, result.trained
    sampling, training = trained.sampling, trained.training
    say(f"one convolution of {len(trips[0].images):,} digits, inverted:")
    print_figures(
        (f"largest error, {trip.dtype}", grey_levels(trip.largest_error)) for trip in trips
    )
    say(f"{describe(training.flow)}, {trained.extent}:")
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
    if interrupt.number == signal.SIGTERM:
        raise typer.Exit(interrupt.exit_code)
