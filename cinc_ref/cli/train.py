"""``python -m cinc_ref train``."""

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import typer

from cinc_ref import flows
from cinc_ref._files import write_figure
from cinc_ref.cli._common import (
    command_line,
    describe,
    explicit_options,
    print_figures,
    say,
    stoppable,
)
from cinc_ref.cli._options import (
    CHANNELS,
    DATA_OPTIONS,
    MODEL_OPTIONS,
    check_model,
    folder_option,
    found_in_files,
    name_option,
    options_must_fit,
    refuse_unused,
    takes,
    training_option,
    usage_error,
)
from cinc_ref.data import image_set
from cinc_ref.evaluation import evaluate
from cinc_ref.training import train as train_flow
from cinc_ref.training.estimate import estimate
from cinc_ref.training.folder import LOSS, Folder
from cinc_ref.training.presets import PRESETS
from cinc_ref.training.presets import preset as find_preset
from cinc_ref.training.settings import Settings
from cinc_ref.training.trainer import Trainer

__all__ = ["train"]

MINUTES = 2.0
"""Minutes to train where neither a time nor a number of steps is given."""

TRAINING_OPTIONS = (
    training_option(
        "minutes", help=f"Time to train; {MINUTES:g} if neither this nor --steps is given."
    ),
    training_option("steps"),
    training_option("seed"),
    training_option("batch_size"),
    training_option("learning_rate"),
    training_option("optimizer"),
    training_option("beta1"),
    training_option("beta2"),
    training_option("warmup"),
    training_option("schedule"),
    training_option("polyak"),
    training_option("flip"),
    training_option("dropout"),
    training_option("constant_memory"),
)


@takes(*DATA_OPTIONS, CHANNELS, *MODEL_OPTIONS, *TRAINING_OPTIONS)
def train(
    context: typer.Context,
    out: Annotated[
        Path | None,
        folder_option(
            "--out",
            "Folder that receives the model; it must hold no other run. Needed to train.",
            show_default=False,
        ),
    ] = None,
    preset: Annotated[
        str | None,
        name_option(
            "--preset",
            "Data, model and training as the paper has them, but for the options given; one "
            "of: {}. Without --minutes and --steps it makes two steps and prints how long the "
            "whole would take.",
            PRESETS,
            show_default=False,
        ),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Continue the run in --out, with the same options; --minutes and --steps may "
            "differ, which prolongs or shortens the run.",
        ),
    ] = False,
    **options: Any,
) -> None:
    """Train a flow on images, and keep the model that does best on the validation part.

    Ctrl-C or SIGTERM stops after the current step, saves, and prints how to continue; the exit
    code is 130 or 143. A second one stops at once. The folder --out receives best.npz (the model),
    last.npz (to resume from), history.json and loss.png.
    """
    no_budget = options["minutes"] is None and options["steps"] is None
    only_estimate = preset is not None and no_budget and not resume
    if only_estimate:
        reason = "only with --minutes or --steps, without which the time is only estimated"
        refuse_unused(context, ["out"], reason)
    elif out is None:
        raise usage_error("--out is missing: the folder that receives the model", context)
    else:
        Folder(out).check(resume)
    chosen, given = None if preset is None else find_preset(preset), explicit_options(context)
    if chosen:
        of_data = {} if "data" in given else {"data": chosen.data, **chosen.data_options}
        options |= {**of_data, **chosen.model, **given}
    check_model(context, options["system"])
    images, flow = _images_and_flow(options)
    settings = _select(options, TRAINING_OPTIONS)
    origin = images.origin()
    if chosen:
        of_preset = chosen.training(len(images.train), given.get("batch_size"))
        settings = _with_preset(settings, of_preset, given)
    if resume:
        former = Folder(out).budget()
        budget = _resumed_budget(former, settings)
        settings |= budget
        with found_in_files():  # before anything is printed
            trainer_settings = Settings.from_options(settings)
            Trainer(flow, images.train, images.validation, trainer_settings, out, origin).restore()
    say(f"{describe(flow)}; {len(images.train):,} images of {images.name}")
    if chosen:
        whole = settings | {"steps": of_preset["steps"]}
        say(str(estimate(flow, images.train, **whole)))
    if only_estimate:
        say("To train, give --minutes or --steps, and --out.")
        return
    if resume:
        _print_budgets(former, budget, settings["schedule"])
    elif no_budget:
        settings["minutes"] = MINUTES
    settings |= {"origin": origin, "out": out, "resume": resume, "progress": True}
    with stoppable() as interrupt:
        with found_in_files():
            result = train_flow(flow, images.train, images.validation, **settings)
        _draw(result)
        if result.reason == "interrupted":
            say(f"Interrupted after {result.step} steps; everything is saved. To continue:")
            say(f"  {command_line(context, without='resume')} --resume")
        if interrupt.requested:
            raise typer.Exit(interrupt.exit_code)
        _report(result, images)


def _images_and_flow(options):
    """Load the images and build the model."""
    images = image_set(options["data"], **_select(options, (*DATA_OPTIONS[1:], CHANNELS)))
    shape = {"image_shape": images.image_shape, "bins": images.bins}
    with options_must_fit():
        flow = flows.build(**shape, **_select(options, MODEL_OPTIONS))
    return images, flow


def _resumed_budget(former, settings):
    """Return the budget of a resumed run: the former, unless another is given."""
    budget = {name: settings[name] for name in former}
    return budget if any(budget.values()) else former


def _print_budgets(former, budget, schedule):
    """Print what it means if a resumed run has another budget than before."""
    if budget == former:
        return
    say(
        f"The budget was {_in_words(former)}, and is {_in_words(budget)} from the start of the run."
    )
    if schedule != "constant":
        say("The learning rate continues with that of the new budget at this step.")


def _in_words(budget):
    parts = [f"{value:,g} {name}" for name, value in budget.items() if value is not None]
    return " or ".join(parts)


def _select(options, parameters):
    """Return the values of some options, by name."""
    return {parameter.name: options[parameter.name] for parameter in parameters}


def _with_preset(settings, of_preset, given):
    """Return the settings of a preset, but for those given and for its number of steps."""
    budget = {"minutes": settings["minutes"], "steps": settings["steps"]}
    explicit = {name: value for name, value in given.items() if name in settings}
    return settings | of_preset | explicit | budget


def _report(result, images):
    test = evaluate(result.flow, result.params, images.test)
    say(f"{result.message} Best after {result.best_step} steps.")
    print_figures(
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

    write_figure(result.out / LOSS, loss_figure(result.history))
