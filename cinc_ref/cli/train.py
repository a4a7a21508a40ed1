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
from cinc_ref.cli.models import Data, DataPath, describe
from cinc_ref.cli.printing import figures, say
from cinc_ref.data import image_set
from cinc_ref.evaluation import evaluate
from cinc_ref.training import train as train_flow
from cinc_ref.training.optimizer import OPTIMIZERS, SCHEDULES
from cinc_ref.training.presets import PRESETS, estimate
from cinc_ref.training.presets import preset as find_preset

MINUTES = 2.0
DEFAULTS = {
    name: parameter.default for name, parameter in inspect.signature(train_flow).parameters.items()
}
DATA_OPTIONS = ("path", "size", "channels", "n_bits")
MODEL_OPTIONS = [
    name
    for name in inspect.signature(flows.build).parameters
    if name not in ("image_shape", "bins")
]
MODEL, TRAINING = "Model", "Training"  # panels of --help


def train(
    context: typer.Context,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder that receives the model; it must hold no other run. Needed to train.",
            show_default=False,
        ),
    ] = None,
    data: Data = "digits",
    path: DataPath = None,
    size: Annotated[
        int | None,
        typer.Option(help="Side of a patch or of a folder's pictures.", show_default=False),
    ] = None,
    channels: Annotated[
        int | None,
        typer.Option(help="Of a folder's pictures: 1 (grey) or 3.", show_default=False),
    ] = None,
    n_bits: Annotated[
        int | None,
        typer.Option(help="Keep so many of the bits of 8-bit images.", show_default=False),
    ] = None,
    preset: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Data, model and training as the paper has them, but for the options given; one "
            f"of: {', '.join(PRESETS)}. Without --minutes and --steps it makes two steps and tells "
            "how long the whole would take.",
            show_default=False,
        ),
    ] = None,
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
        str | None,
        typer.Option(
            metavar="NAME",
            help="The kernel's tap that reads the pixel itself, one of: "
            f"{', '.join(CORNER_BLOCKS)}; by default that of the system.",
            show_default=False,
            rich_help_panel=MODEL,
        ),
    ] = None,
    direction: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="Whether the convolution runs towards the latent or towards the image, one of: "
            f"{', '.join(flows.DIRECTIONS)}.",
            rich_help_panel=MODEL,
        ),
    ] = "forward",
    dilation: Annotated[
        int,
        typer.Option(min=1, help="Between neighbouring taps.", rich_help_panel=MODEL),
    ] = 1,
    stable: Annotated[
        bool,
        typer.Option(
            "--stable",
            help="Keep the inverse of every convolution bounded on images of any size, whatever "
            "is learned: the certificate S < 1 holds.",
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
    optimizer: Annotated[
        str,
        typer.Option(
            metavar="NAME", help=f"One of: {', '.join(OPTIMIZERS)}.", rich_help_panel=TRAINING
        ),
    ] = DEFAULTS["optimizer"],
    beta1: Annotated[
        float, typer.Option(help="Decay of its first moment.", rich_help_panel=TRAINING)
    ] = DEFAULTS["beta1"],
    beta2: Annotated[
        float, typer.Option(help="Decay of its second moment.", rich_help_panel=TRAINING)
    ] = DEFAULTS["beta2"],
    warmup: Annotated[
        int,
        typer.Option(min=0, help="Steps in which the rate rises.", rich_help_panel=TRAINING),
    ] = DEFAULTS["warmup"],
    schedule: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help=f"What the rate does after that, one of: {', '.join(SCHEDULES)}.",
            rich_help_panel=TRAINING,
        ),
    ] = DEFAULTS["schedule"],
    polyak: Annotated[
        float,
        typer.Option(
            help="Decay of the average of parameters that is evaluated and saved.",
            rich_help_panel=TRAINING,
        ),
    ] = DEFAULTS["polyak"],
    flip: Annotated[
        bool,
        typer.Option(
            "--flip", help="Mirror images left to right at random.", rich_help_panel=TRAINING
        ),
    ] = False,
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
            "--constant-memory/--no-constant-memory",
            help="Let memory not grow with the depth; a step takes about 1.6 times as long.",
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
    only_estimate = preset is not None and minutes is None and steps is None
    if out is None and not only_estimate:
        raise typer.BadParameter("--out is missing: the folder that receives the model")
    options, given = dict(context.params), _given(context)
    wanted = None if preset is None else find_preset(preset)
    if wanted:
        _fill(options, given, {"data": wanted.data, **wanted.data_options, **wanted.model})
    images = image_set(options["data"], **{name: options[name] for name in DATA_OPTIONS})
    shape = {"image_shape": images.image_shape, "bins": images.bins}
    flow = flows.build(**shape, **{name: options[name] for name in MODEL_OPTIONS})
    say(f"{describe(flow)}; {len(images.train):,} images of {images.name}")
    if wanted:
        training = wanted.training(
            len(images.train), options["batch_size"] if "batch_size" in given else None
        )
        _fill(options, {*given, "steps"}, training)
        settings = {name: options[name] for name in training}
        whole = estimate(flow, images.train, **settings | {"steps": training["steps"]})
        say(str(whole))
    if only_estimate:
        say("To train, give --minutes or --steps, and --out.")
        return
    if minutes is None and steps is None:
        options["minutes"] = MINUTES
    settings = {name: options[name] for name in DEFAULTS if name in options}
    result = train_flow(
        flow, images.train, images.validation, **settings | {"out": out, "progress": True}
    )
    _draw(result)
    if result.reason == "interrupted":
        say(f"Interrupted after {result.step} steps; everything is saved. To go on:")
        say(f"  {_command_to_resume(context)}")
        raise typer.Exit(130)  # by custom, for a process that Ctrl-C ended
    _report(result, images)


def _given(context):
    """Names of the options that stand on the command line."""
    return {
        parameter.name
        for parameter in context.command.params
        if context.get_parameter_source(parameter.name).name == "COMMANDLINE"
    }


def _fill(options, given, values):
    """Take over what was not given."""
    options.update({name: value for name, value in values.items() if name not in given})


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
    given = _given(context) - {"resume"}
    for parameter in context.command.params:
        if parameter.name in given:
            value = context.params[parameter.name]
            words.append((parameter.secondary_opts if value is False else parameter.opts)[0])
            words += [] if parameter.is_flag else [str(value)]
    return shlex.join([*words, "--resume"])
