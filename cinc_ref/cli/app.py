"""The application: its commands in the order in which ``--help`` lists them."""

from typing import Annotated

import typer

import cinc_ref
from cinc_ref._blas import one_blas_thread
from cinc_ref.cli._common import say
from cinc_ref.cli._compilation import announced_compilation
from cinc_ref.cli.bench import bench
from cinc_ref.cli.check import check
from cinc_ref.cli.compare import compare
from cinc_ref.cli.compile import compile
from cinc_ref.cli.demo import demo
from cinc_ref.cli.evaluate import evaluate
from cinc_ref.cli.interpolate import interpolate
from cinc_ref.cli.sample import sample
from cinc_ref.cli.train import train
from cinc_ref.cli.verify import verify

__all__ = ["app"]

app: typer.Typer = typer.Typer(
    help="Invertible 3x3 convolutions: check the theorems, train a flow of them on real images, "
    "invert, sample and judge it.",
    add_completion=False,
    rich_markup_mode="markdown",  # joins the lines of a paragraph
    pretty_exceptions_enable=False,
)


def _print_version(wanted: bool):
    if wanted:
        say(f"cinc_ref {cinc_ref.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    context: typer.Context,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version."),
    ] = False,
):
    for resource in (one_blas_thread(), announced_compilation()):
        context.with_resource(resource)  # until the command has ended


for _command in (
    demo, verify, train, sample, evaluate, interpolate, compare, compile, check, bench,
):  # fmt: skip
    app.command()(_command)
