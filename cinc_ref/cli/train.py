"""``python -m cinc_ref train``."""

import inspect
import shlex
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from cinc_ref import flows
from cinc_ref._output import writing
from cinc_ref.bijections.conv import CORNER_BLOCKS
from cinc_ref.cli.models import Data, describe
from cinc_ref.cli.printing import figures, say
from cinc_ref.data import image_set
from cinc_ref.evaluation import evaluate
from cinc_ref.training import train as train_flow

MINUTES = 2.0
DEFAULTS = {
    name: parameter.default for name, parameter in inspect.signature(train_flow).parameters.items()
}
MODEL, TRAINING = "Model", "Training"  # panels of --help


def train(
    context: typer.Context,
    out: Annotated[
        Path, typer.Option(help="Folder that receives the model; it must hold no other run.")
    ],
    data: Data = "digits",
    system: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help=f"Which invertible convolution, one of: {', '.join(flows.SYSTEMS)}.",
            rich_help_panel=MODEL,
        ),
    ] = "cinc",
    coupling: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help=f"Coupling, one of: {', '.join(flows.COUPLINGS)}.",
            rich_help_panel=MODEL,
        ),
    ] = "quad",
    corner_block: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="The kernel's tap that reads the pixel itself, one of: "
            f"{', '.join(CORNER_BLOCKS)}.",
            rich_help_panel=MODEL,
        ),
    ] = "triangular",
    stable: Annotated[
        bool,
        typer.Option(
            "--stable",
            help="Keep the inverse of every convolution bounded, whatever is learned.",
            rich_help_panel=MODEL,
        ),
    ] = False,
    levels: Annotated[
        int,
        typer.Option(
            min=1,
            help="Levels; each halves height and width.",
            rich_help_panel=MODEL,
        ),
    ] = 2,
    depth: Annotated[
        int,
        typer.Option(
            min=1,
            max=1000,
            help="Steps in a level: actnorm, convolution, coupling.",
            rich_help_panel=MODEL,
        ),
    ] = 8,
    width: Annotated[
        int,
        typer.Option(
            min=1,
            max=4096,
            help="Hidden channels of the coupling networks.",
            rich_help_panel=MODEL,
        ),
    ] = 64,
    minutes: Annotated[
        float | None,
        typer.Option(
            help=f"Time to train; {MINUTES:g} if neither this nor --steps is given.",
            show_default=False,
            rich_help_panel=TRAINING,
        ),
    ] = None,
    steps: Annotated[
        int | None,
        typer.Option(
            help="Steps to train instead: the same result on every run.",
            show_default=False,
            rich_help_panel=TRAINING,
        ),
    ] = None,
    seed: Annotated[
        int,
        typer.Option(
            min=0,
            help="Of everything random.",
            rich_help_panel=TRAINING,
        ),
    ] = 0,
    batch_size: Annotated[
        int, typer.Option(help="Images in a step.", rich_help_panel=TRAINING)
    ] = DEFAULTS["batch_size"],
    learning_rate: Annotated[
        float, typer.Option(help="At its peak.", rich_help_panel=TRAINING)
    ] = DEFAULTS["learning_rate"],
    dropout: Annotated[
        float,
        typer.Option(
            help="Part of the hidden channels that is silenced in a step, against overfitting.",
            rich_help_panel=TRAINING,
        ),
    ] = DEFAULTS["dropout"],
    constant_memory: Annotated[
        bool,
        typer.Option(
            "--constant-memory",
            help="Let memory not grow with the depth; a step takes about twice as long.",
            rich_help_panel=TRAINING,
        ),
    ] = False,
    resume: Annotated[
        bool,
        typer.Option("--resume", help="Go on with the run in --out, with the same options."),
    ] = False,
):
    """Train a flow on images, and keep the model that does best on the validation part.

    Ctrl-C stops after the step at hand, saves, and says how to go on. The folder --out receives
    best.npz (the model), last.npz (to resume from), history.json and loss.png.
    """
    if minutes is None and steps is None:
        minutes = MINUTES
    images = image_set(data)
    flow = flows.build(
        system,
        coupling,
        images.image_shape,
        levels=levels,
        depth=depth,
        width=width,
        bins=images.bins,
        corner_block=corner_block,
        stable=stable,
    )
    say(f"{describe(flow)}; {len(images.train):,} images of {images.name}")
    result = train_flow(
        flow,
        images.train,
        images.validation,
        minutes=minutes,
        steps=steps,
        seed=seed,
        batch_size=batch_size,
        learning_rate=learning_rate,
        dropout=dropout,
        out=out,
        resume=resume,
        progress=True,
        constant_memory=constant_memory,
    )
    _draw(result)
    if result.reason == "interrupted":
        say(f"Interrupted after {result.step} steps; everything is saved. To go on:")
        say(f"  {_command_to_resume(context)}")
        raise typer.Exit(130)  # by custom, for a process that Ctrl-C ended
    _report(result, images)


def _report(result, images):
    test = evaluate(result.flow, result.params, images.test)
    say(f"{result.message} Best after {result.best_step} steps.")
    figures(
        [
            ("validation, bits/dim", f"{result.best_bits:.3f}"),
            (
                f"test, bits/dim (mean of {test.draws} noise draws)",
                f"{test.bits_per_dim:.3f} ± {test.standard_deviation:.3f}",
            ),
            ("seconds of training", f"{result.seconds:.0f}"),
        ]
    )
    say(f"model: {result.out / 'best.npz'}")


def _draw(result):
    if find_spec("matplotlib") is None:
        return
    from cinc_ref.plots import loss_figure  # slow to import

    path = result.out / "loss.png"
    with writing(path):
        loss_figure(result.history).savefig(path)


def _command_to_resume(context):
    """The command that the user gave, with --resume."""
    words = ["python", "-m", "cinc_ref", "train"]
    for parameter in context.command.params:
        given = context.get_parameter_source(parameter.name).name == "COMMANDLINE"
        if given and parameter.name != "resume":
            value = context.params[parameter.name]
            words += [parameter.opts[0]] + ([] if parameter.is_flag else [str(value)])
    return shlex.join([*words, "--resume"])
