"""``python -m cinc_ref check``."""

import json
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer

import cinc_ref
from cinc_ref import _validate
from cinc_ref._files import check_file, write_text
from cinc_ref.cli._common import say
from cinc_ref.cli._options import (
    integer_option,
    number_option,
    parsed_by,
    path_option,
    usage_error,
)
from cinc_ref.errors import OptionError

__all__ = ["check"]


def _shape(values):
    """Return the shape of an image as integers, or raise `OptionError`."""
    checked = _validate.integers(values, len(values), 1)
    if not checked:
        raise OptionError(
            "--shape must be integers >= 1 with commas between, for instance 4,8,8; "
            f"got {_validate.shown(values)}"
        )
    return checked


def _keywords(value):
    """Return the arguments of the layer's class as a dict, or raise `OptionError`."""
    if not isinstance(value, dict):
        raise OptionError(
            '--kwargs must be a JSON object, for instance {"channels": 4}; '
            f"got {_validate.shown(value)}"
        )
    return value


def check(
    context: typer.Context,
    layer: Annotated[
        str,
        typer.Argument(
            metavar="MODULE:LAYER", help="A class or an object, such as package.module:Layer."
        ),
    ],
    shape: Annotated[
        Any,
        typer.Option(
            "--shape",
            metavar="C,H,W",
            help="Shape of one image, or D for vectors; by default common ones are tried.",
            parser=parsed_by(lambda text: tuple(map(int, text.split(","))), _shape),
            show_default=False,
        ),
    ] = None,
    kwargs: Annotated[
        Any,
        typer.Option(
            "--kwargs",
            metavar="JSON",
            help="Arguments of the class, as a JSON object.",
            parser=parsed_by(json.loads, _keywords),
            show_default=False,
        ),
    ] = None,
    tolerance: Annotated[
        Any,
        number_option(
            "--tolerance",
            "Relative error of a round trip that is by design, as of an iterative inverse.",
            above=0,
            show_default=False,
        ),
    ] = None,
    seed: Annotated[
        int, integer_option("--seed", "Seed of images and noise.", minimum=0, maximum=None)
    ] = 0,
    json_file: Annotated[
        Path | None, path_option("--json", "Write the report there as well.", show_default=False)
    ] = None,
    junit_file: Annotated[
        Path | None, path_option("--junit", "Write JUnit XML there.", show_default=False)
    ] = None,
    badge_file: Annotated[
        Path | None, path_option("--badge", "Write an SVG badge there.", show_default=False)
    ] = None,
) -> None:
    """Test anybody's invertible layer: its inverse, and its log-determinants against the Jacobian.

    Takes layers and transforms of PyTorch, nflows, normflows, FrEIA, zuko, Pyro, flowjax, distrax
    and others, and says in words what is wrong. Exits with 1 if something is.
    """
    files = {json_file: "to_dict", junit_file: "to_junit", badge_file: "to_badge"}
    for path in filter(None, files):
        check_file(path)
    made = _made(layer, kwargs, context)
    report = cinc_ref.testing.check(made, shape=shape, tolerance=tolerance, seed=seed)
    say(str(report))
    for path, method in files.items():
        if path is not None:
            content = getattr(report, method)()
            text = content if isinstance(content, str) else json.dumps(content, indent=1)
            write_text(path, text)
    raise typer.Exit(0 if report.ok else 1)


def _made(name, kwargs, context):
    """Import the object of the name; make it, if it is a class or if arguments were given."""
    module_name, colon, path = name.partition(":")
    if not (module_name and colon and path):
        raise usage_error(f"LAYER must be package.module:Layer; got {name!r}", context)
    try:
        value = import_module(module_name)
        for part in path.split("."):
            value = getattr(value, part)
    except Exception as error:  # a module runs any code
        reason = str(error) or type(error).__name__
        raise usage_error(f"{name} cannot be imported: {reason}", context) from error
    if not (isinstance(value, type) or kwargs is not None):
        return value
    try:
        return value(**(kwargs or {}))
    except Exception as error:
        call = f"{path}({', '.join(f'{k}={v!r}' for k, v in (kwargs or {}).items())})"
        words = f"{call} raises {type(error).__name__}: {error}; give its arguments by --kwargs"
        raise usage_error(words, context) from error
