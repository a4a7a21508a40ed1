"""The options of the commands: how each is read and checked, and those that several share.

Every value is checked by `cinc_ref._validate` while the command line is read, before any work; the
message begins with the option's name. Typer reads the options of a command from its signature;
`takes` puts options from the tables there.
"""

import inspect
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_type_hints

import typer

from cinc_ref import _validate, flows
from cinc_ref._cluster import check_address
from cinc_ref.bijections.conv import CORNER_BLOCKS
from cinc_ref.cli._common import explicit_options
from cinc_ref.comparison.compare import MODEL as SIZES
from cinc_ref.data import IMAGE_SETS
from cinc_ref.data.sets import check_options
from cinc_ref.errors import DataError, OptionError, ShapeError
from cinc_ref.training.settings import Settings

__all__ = [
    "CHANNELS",
    "DATA_OPTIONS",
    "MODEL_OPTIONS",
    "PICTURES",
    "SIZE_OPTIONS",
    "Dask",
    "Data",
    "DataOfRun",
    "DataPath",
    "Model",
    "check_data",
    "check_model",
    "folder_option",
    "found_in_files",
    "integer_option",
    "integers_option",
    "name_option",
    "names_option",
    "number_option",
    "numbers_option",
    "options_must_fit",
    "parsed_by",
    "path_option",
    "refuse_unused",
    "takes",
    "training_option",
    "usage_error",
]

Command = TypeVar("Command", bound=Callable[..., None])

usage_error: type[Exception] = typer.BadParameter.__base__  # type: ignore[assignment]
"""The error of every misuse: click's UsageError, which typer contains or depends on."""

PICTURES = tuple(
    f".{ending}" for ending in "png pdf svg svgz eps ps jpg jpeg tif tiff webp".split()
)
"""Endings of the names of pictures that matplotlib writes."""

SINGLE_TAP = ("glow",)
"""Systems whose kernels have a single tap, so that dilation does nothing."""

LARGEST = 2**31 - 1
"""The largest count: no array has more entries along an axis that a machine could hold."""

# ---- one option ----------------------------------------------------------------------------------


def parsed_by(convert: Callable[[str], Any], check: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return the parser of an option's text, whose errors are usage errors.

    Parameters
    ----------
    convert : callable
        Reads the text, or raises `ValueError`; the check then gets the text itself.
    check : callable
        Returns the value, or raises a `ValueError` with the message.
    """

    def parse(text: Any) -> Any:
        try:
            value = convert(text) if isinstance(text, str) else text  # a default is a value
        except ValueError:
            value = text
        try:
            return check(value)
        except ValueError as error:
            raise usage_error(str(error)) from error

    return parse


def integer_option(
    flag: str, help: str, *, minimum: int, maximum: int | None = LARGEST, **more: Any
) -> Any:
    """Define an option that is an integer in a range."""

    def check(value):
        value = _validate.integer(flag, value, minimum)
        if maximum is not None and value > maximum:
            raise OptionError(f"{flag} must be an integer from {minimum} to {maximum}; got {value}")
        return value

    metavar = f"INTEGER>={minimum}"
    return typer.Option(flag, help=help, metavar=metavar, parser=parsed_by(int, check), **more)


def number_option(flag: str, help: str, **bounds_and_more: Any) -> Any:
    """Define an option that is a number, with the bounds of `_validate.number`."""
    names = ("minimum", "above", "below")
    bounds = {name: bounds_and_more.pop(name) for name in names if name in bounds_and_more}
    check = partial(_validate.number, flag, **bounds)
    return typer.Option(
        flag, help=help, metavar="NUMBER", parser=parsed_by(float, check), **bounds_and_more
    )


def name_option(flag: str, help: str, choices: Iterable[str], **more: Any) -> Any:
    """Define an option that is one of several names, which the help lists."""
    parser = parsed_by(str, lambda value: _validate.one_of(flag, value, choices))
    help = help.format(", ".join(choices))
    return typer.Option(flag, help=help, metavar="NAME", parser=parser, **more)


def names_option(flag: str, help: str, check: Callable[[str], Any], **more: Any) -> Any:
    """Define an option that is a list of different names, each of which passes a check."""

    def checked(names):
        for name in names:
            check(name)
        if len(set(names)) < len(names):
            raise OptionError(f"{flag} must be names, each once; got {','.join(names)}")
        return names

    parser = parsed_by(lambda text: text.split(","), checked)
    return typer.Option(flag, help=help, metavar="NAMES", parser=parser, **more)


def numbers_option(flag: str, help: str, *, minimum: float, **more: Any) -> Any:
    """Define an option that is a list of numbers with commas between."""

    def check(values):
        if isinstance(values, str):
            raise OptionError(
                f"{flag} must be numbers >= {minimum:g} with commas between; got {values!r}"
            )
        return [_validate.number(flag, value, minimum=minimum) for value in values]

    parser = parsed_by(lambda text: [float(part) for part in text.split(",")], check)
    return typer.Option(flag, help=help, metavar="NUMBERS", parser=parser, **more)


def integers_option(
    flag: str,
    help: str,
    layout: str,
    example: str,
    *,
    minimum: int = 1,
    one_for_all: bool = False,
    **more: Any,
) -> Any:
    """Define an option of several integers, whose layout ("HxW", "ROW,COLUMN") has separators.

    With `one_for_all`, a single integer stands for all of them.
    """
    separator = "," if "," in layout else "x"
    count = len(layout.split(separator))

    def check(values):
        if one_for_all and isinstance(values, tuple) and len(values) == 1:
            values *= count
        checked = _validate.integers(values, count, minimum)
        if checked is None or max(checked) > LARGEST:
            given = values if isinstance(values, str) else separator.join(map(str, values))
            raise OptionError(
                f"{flag} must be {layout}, integers >= {minimum}, for instance {example}; "
                f"got {_validate.shown(given)}"
            )
        return checked

    parser = parsed_by(lambda text: tuple(map(int, text.split(separator))), check)
    more = {"show_default": False} | more
    return typer.Option(flag, help=help, metavar=layout, parser=parser, **more)


def path_option(flag: str, help: str, *, endings: Sequence[str] = (), **more: Any) -> Any:
    """Define an option that is the name of a file, perhaps with one of some endings."""
    more = {"metavar": "FILE"} | more
    return typer.Option(flag, help=help, parser=_path_parser(flag, endings), **more)


def folder_option(flag: str, help: str, **more: Any) -> Any:
    """Define an option that is the name of a folder."""
    return typer.Option(flag, help=help, metavar="FOLDER", parser=_path_parser(flag), **more)


def _path_parser(name, endings=()):
    def check(path):
        if path == "":
            raise OptionError(f"{name} must be a path; got an empty one")
        if endings and path.suffix.lower() not in endings:
            raise OptionError(f"{name} must end in {', '.join(endings)}; got {path}")
        return path

    return parsed_by(lambda text: Path(text) if text else text, check)


Model = Annotated[
    Path,
    typer.Argument(
        metavar="MODEL",
        help="A model's .npz file, or the folder of a run.",
        parser=_path_parser("MODEL"),
    ),
]

DATA = name_option("--data", "Images, one of: {}.", IMAGE_SETS)
PATH = path_option(
    "--path",
    "File or folder of the images, for data that is not bundled.",
    metavar="PATH",
    show_default=False,
)
Data = Annotated[str, DATA]
Dask = Annotated[
    str | None,
    typer.Option(
        "--dask",
        metavar="ADDRESS",
        show_default=False,
        help="Address of a Dask scheduler, whose workers do the work; by default, none.",
        parser=parsed_by(str, partial(check_address, "--dask")),
    ),
]
DataOfRun = Annotated[
    str | None,
    name_option(
        "--data",
        "Images, by default those of the model's training, or digits where it does not say; "
        "one of: {}.",
        IMAGE_SETS,
        show_default=False,
    ),
]
DataPath = Annotated[Path | None, PATH]

# ---- several options together --------------------------------------------------------------------


def refuse_unused(context: typer.Context, names: Iterable[str], reason: str) -> None:
    """Refuse options of the command line that would do nothing.

    Parameters
    ----------
    context : typer.Context
    names : iterable of str
        Names of the parameters.
    reason : str
        Reason, which follows the options and a colon.
    """
    explicit = explicit_options(context)
    unused = [
        parameter.opts[0]
        for parameter in context.command.params
        if parameter.name in explicit and parameter.name in set(names)
    ]
    if unused:
        raise usage_error(f"{', '.join(unused)}: {reason}", context)


def check_model(context: typer.Context, system: str) -> None:
    """Refuse options of the model that do nothing with a system."""
    if system in SINGLE_TAP:
        refuse_unused(context, ["dilation"], f"not with {system}, whose kernels have a single tap")


def check_data(data: str | None, path: Path | None, **options: Any) -> None:
    """Refuse options that an image set does not take, and a path where there is nothing.

    Without the name of a set the images are those of a run, of which the path may be another now.
    """
    if data is not None:
        check_options(data, path=path, **options)
    if path is not None and not path.exists():
        raise DataError(f"{path} is missing; expected the images of {data or 'the run'}")


@contextmanager
def options_must_fit() -> Iterator[None]:
    """Turn the error of a model that does not fit its images into one of the options."""
    try:
        yield
    except ShapeError as error:
        raise OptionError(str(error)) from error


@contextmanager
def found_in_files() -> Iterator[None]:
    """Turn the error of options that do not fit what a file holds into one of the file."""
    try:
        yield
    except OptionError as error:
        raise DataError(str(error)) from error


def takes(*options: inspect.Parameter) -> Callable[[Command], Command]:
    """Give a command further options, which its function receives as ``**options``."""

    def decorate(command):
        signature = inspect.signature(command)
        *parameters, _ = signature.parameters.values()
        command.__signature__ = signature.replace(parameters=[*parameters, *options])
        return command

    return decorate


# ---- options that several commands share ---------------------------------------------------------

MODEL, TRAINING = "Model", "Training"
"""Panels of ``--help``."""


def training_option(name: str, **changes: Any) -> inspect.Parameter:
    """Define the option of a field of `Settings`, with its check, default and help."""
    setting = Settings.__dataclass_fields__[name]
    kind = get_type_hints(Settings)[name]
    default, help = setting.default, setting.metadata["help"]
    if choices := setting.metadata.get("choices"):
        help = f"{help}, one of: {', '.join(choices)}."
    values = {"default": default, "help": help} | changes
    more: dict[str, Any] = {"rich_help_panel": TRAINING}
    if values["default"] is None:
        more["show_default"] = False
    flag = _flag_of(name)
    for convert, metavar in ((int, "INTEGER"), (float, "NUMBER"), (str, "NAME")):
        if kind in (convert, convert | None):
            parser = parsed_by(convert, partial(setting.metadata["check"], flag))
            more |= {"parser": parser, "metavar": metavar}
    flags = (flag,) if "parser" in more else ()  # a switch has two names
    return _parameter(
        name, kind, values["default"], typer.Option(*flags, help=values["help"], **more)
    )


def _flag_of(name):
    """Return the option on the command line that has the name of a parameter."""
    return f"--{name.replace('_', '-')}"


def _parameter(name, kind, default, option):
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[kind, option]
    )


def _choice(name, default, help, choices):
    """Define an option of the model that is a name."""
    kind = str if default else str | None
    more = {"rich_help_panel": MODEL} | ({} if default else {"show_default": False})
    return _parameter(name, kind, default, name_option(_flag_of(name), help, choices, **more))


def _count(name, default, help, maximum=LARGEST):
    """Define an option of the model that is a number of at least 1."""
    more = {"minimum": 1, "maximum": maximum, "rich_help_panel": MODEL}
    return _parameter(name, int, default, integer_option(_flag_of(name), help, **more))


def _optional_count(name, help, maximum=LARGEST):
    """Define an option of the images that is an integer, or by default left to the image set."""
    option = integer_option(_flag_of(name), help, minimum=1, maximum=maximum, show_default=False)
    return _parameter(name, int | None, None, option)


DATA_OPTIONS = (
    _parameter("data", str, "digits", DATA),
    _parameter("path", Path | None, None, PATH),
    _optional_count("size", "Side of a patch or of a folder's pictures."),
    _optional_count("n_bits", "Keep only so many bits of 8-bit images.", maximum=8),
)
"""The options of an image set: its name, and what some sets take."""

CHANNELS = _optional_count("channels", "Channels of a folder's pictures: 1 (grey) or 3.", maximum=3)

SIZE_OPTIONS = (
    _count("levels", SIZES["levels"], "Levels; each halves height and width."),
    _count("depth", SIZES["depth"], "Steps in a level: actnorm, convolution, coupling.", 1000),
    _count("width", SIZES["width"], "Hidden channels of the coupling networks.", 4096),
)
MODEL_OPTIONS = (
    _choice("system", "cinc", "Which invertible convolution, one of: {}.", flows.SYSTEMS),
    _choice("coupling", "quad", "Coupling, one of: {}.", flows.COUPLINGS),
    _choice(
        "corner_block",
        None,
        "The kernel's tap that reads the pixel itself, one of: {}; by default that of the system.",
        CORNER_BLOCKS,
    ),
    _choice(
        "direction",
        "forward",
        "Whether the convolution runs towards the latent or towards the image, one of: {}.",
        flows.DIRECTIONS,
    ),
    _count("dilation", 1, "Distance of neighbouring taps."),
    _parameter(
        "stable",
        bool,
        False,
        typer.Option(
            "--stable",
            help="Keep the inverse of every convolution bounded on images of any size, "
            "whatever is learned: the certificate S < 1 holds.",
            rich_help_panel=MODEL,
        ),
    ),
    *SIZE_OPTIONS,
)
