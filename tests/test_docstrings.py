"""Docstrings, signatures and names of the package, held against the rules of CONTRIBUTING.md."""

import ast
import builtins
import inspect
import re
import textwrap
from functools import cache
from importlib import import_module

import pytest

from cinc_ref.errors import CincError
from tests.support.checkout import FRAMEWORKS, PACKAGE, ROOT, is_importable

SOURCES = sorted(PACKAGE.rglob("*.py"))
MODULES = {
    path: ".".join(path.relative_to(SOURCES[0].parents[0]).with_suffix("").parts)
    for path in SOURCES
}
ROOMS = (
    "cinc_ref",
    "cinc_ref.bijections",
    "cinc_ref.comparison",
    "cinc_ref.data",
    "cinc_ref.errors",
    "cinc_ref.evaluation",
    "cinc_ref.flows",
    "cinc_ref.interop",
    "cinc_ref.plots",
    "cinc_ref.testing",
    "cinc_ref.theory",
    "cinc_ref.timing",
    "cinc_ref.training",
    *(f"cinc_ref.{name}" for name in FRAMEWORKS if is_importable(name)),
)

FRAGMENT = re.compile(
    r"(Of|The same|Same|As|What|How|Whether|Where|Why|Which|That|Those|Likewise|Beside|From|To|In"
    r"|On|If|When|With|Between)\b"
)
"""First words of a docstring that is no sentence."""

PRIVATE_WORDS = frozenset(
    "doubtful kernel_doubtful doubts said told beside theirs manners laid_out callees found begins"
    " homes stretches its own".split()
)
"""Names in whose place the field has a term: status, plan, descriptor, offsets, contract."""

NEVER_RAISED = {
    "cinc_ref.conv": ["SingularKernelError"],
    "cinc_ref.conv_vjp": ["SingularKernelError"],
    "cinc_ref.evaluate": ["DtypeError"],
    "cinc_ref.evaluation.inversion_error": ["DtypeError"],
    "cinc_ref.flows.Flow.bits_per_dim": ["DtypeError", "OptionError"],
    "cinc_ref.flows.Flow.stability": ["DtypeError", "OptionError", "ShapeError"],
    "cinc_ref.theory.Convolution.determinant": ["DtypeError", "NonFiniteError"],
    "cinc_ref.theory.explain": ["SingularKernelError"],
}
"""Errors of callees that cannot occur, because the caller passes valid arguments only."""

BASES = (CincError, *ValueError.__mro__, OSError, RuntimeError, ImportError)
"""Classes too general to stand for an error in a docstring."""

TRANSLATORS = frozenset({"npz_file.opened", "reading"})
"""Context managers that turn the errors of their block into one of `cinc_ref.errors`."""

PARAMETERS, PARAMETERS_OF_KERNELS = 8, 10
"""The largest number of parameters of a function; loops on plain arrays need a few more."""


def exported():
    """Yield every exported function, class and public method once, with its qualified name."""
    seen = set()
    for room in ROOMS:
        module = import_module(room)
        names = getattr(module, "__all__", None)
        for name in names or [n for n in vars(module) if n[0] != "_"]:
            value = getattr(module, name)
            home = getattr(value, "__module__", "")
            if not (inspect.isfunction(value) or inspect.isclass(value)) or value in seen:
                continue
            if not home.startswith(room if names is None else "cinc_ref"):
                continue
            seen.add(value)
            yield f"{room}.{name}", value
            if inspect.isclass(value):
                yield from (
                    (f"{room}.{name}.{method}", member)
                    for method, member in methods(value)
                    if member not in seen and not seen.add(member)
                )


def methods(kind):
    """Yield public methods and properties, except those that override a documented one."""
    for name, value in inspect.getmembers_static(kind):
        if sum(name in vars(base) for base in kind.__mro__) > 1:
            continue
        if isinstance(value, property):
            value = value.fget
        value = getattr(value, "__func__", value)
        if name[0] != "_" and inspect.isfunction(value):
            if value.__module__.startswith("cinc_ref"):
                yield name, value


EXPORTED = dict(exported())
FUNCTIONS = {name: value for name, value in EXPORTED.items() if inspect.isfunction(value)}
CLASSES = {name: value for name, value in EXPORTED.items() if inspect.isclass(value)}
PROPERTIES = {
    member.fget
    for kind in CLASSES.values()
    for _, member in inspect.getmembers_static(kind)
    if isinstance(member, property)
}


def sections(value):
    """Return the numpydoc sections of a docstring: title to lines."""
    lines, by_title = (inspect.getdoc(value) or "").splitlines(), {"": []}
    title = ""
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        if re.fullmatch(r"-{3,}", following) and len(following) == len(line):
            title = line
            by_title[title] = []
        elif not re.fullmatch(r"-{3,}", line):
            by_title[title].append(line)
    return by_title


def entries(value, *titles):
    """Return the names that sections list, such as x and y of ``x, y : ndarray``."""
    lines = [line for title in titles for line in sections(value).get(title, [])]
    heads = [line.split(" : ")[0] for line in lines if line and line[0] not in " ."]
    return {name.strip(" *") for head in heads for name in head.split(",")}


def parameters(obj):
    signature = inspect.signature(obj)
    return {name.strip("*") for name in signature.parameters if name not in ("self", "cls")}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_parameters_and_results_are_documented(name):
    function = FUNCTIONS[name]
    assert function.__doc__, "has no docstring"
    if function in PROPERTIES:
        return
    assert entries(function, "Parameters", "Other Parameters") == parameters(function)
    returned = inspect.signature(inspect.unwrap(function)).return_annotation
    assert returned is not inspect.Signature.empty, "has no annotation of its result"
    if returned not in (None, "None"):
        assert {"Returns", "Yields"} & set(sections(function)), "has no Returns"


@pytest.mark.parametrize("name", CLASSES)
def test_classes_document_what_they_hold(name):
    kind = CLASSES[name]
    assert kind.__doc__, "has no docstring"
    if issubclass(kind, BaseException):
        return
    assert parameters(kind) <= entries(kind, "Parameters", "Attributes")


@cache
def tree_of(function):
    return ast.parse(textwrap.dedent(inspect.getsource(inspect.unwrap(function))))


def raised(function, visited=None):
    """Return the errors that a function raises, or another function that it calls by name."""
    visited = set() if visited is None else visited
    function = inspect.unwrap(function)
    if function in visited:
        return set()
    visited.add(function)
    names, scope = set(), function.__globals__
    caught = {
        id(node)
        for block in ast.walk(tree_of(function))
        if translates(block)
        for statement in block.body
        for node in ast.walk(statement)
    }
    for node in ast.walk(tree_of(function)):
        if id(node) in caught:
            continue
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call | ast.Name):
            call = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
            error = scope.get(ast.unparse(call), getattr(builtins, ast.unparse(call), None))
            if inspect.isclass(error):
                names.add(error)
        if isinstance(node, ast.Call):
            callee = resolve(node.func, scope)
            if inspect.isfunction(callee) and callee.__module__.startswith("cinc_ref"):
                names |= raised(callee, visited)
    return names


def translates(block):
    """Return whether a statement handles errors that are raised in its body."""
    if isinstance(block, ast.With):
        calls = [item.context_expr for item in block.items]
        return any(ast.unparse(call.func) in TRANSLATORS for call in calls if hasattr(call, "func"))
    return isinstance(block, ast.Try) and bool(block.handlers)


def resolve(node, scope):
    """Return the function that a call names, ``f`` or ``module.f``; None if it is another."""
    if isinstance(node, ast.Name):
        return scope.get(node.id)
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        module = scope.get(node.value.id)
        return getattr(module, node.attr, None) if inspect.ismodule(module) else None
    return None


@pytest.mark.parametrize("name", EXPORTED)
def test_errors_are_documented(name):
    value = EXPORTED[name]
    if inspect.isclass(value):
        makers = [vars(value).get(maker) for maker in ("__post_init__", "__init__")]
        makers = [m for m in makers if inspect.isfunction(m) and m.__module__ == value.__module__]
        makers = [maker for maker in makers if maker.__code__.co_filename != "<string>"]
    else:
        makers = [value]
    errors = set().union(*map(raised, makers)) - {NotImplementedError, AttributeError}
    listed = entries(value, "Raises")
    missing = {
        error.__name__
        for error in errors
        if not {kind.__name__ for kind in error.__mro__ if kind is error or kind not in BASES}
        & listed
    } - set(NEVER_RAISED.get(name, ()))
    if inspect.isclass(value) and issubclass(value, BaseException):
        return
    assert not missing, f"Raises of {name} misses {sorted(missing)}"


def docstrings(tree):
    """Yield (line, first paragraph) of the docstrings of a module, also those of constants."""
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        for statement in body if isinstance(body, list) else []:
            if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
                if isinstance(statement.value.value, str):
                    text = inspect.cleandoc(statement.value.value).split("\n\n")[0]
                    yield statement.lineno, " ".join(text.split())


def identifiers(tree):
    """Yield (line, name) of everything that a module names: variables, arguments, functions."""
    for node in ast.walk(tree):
        for field in ("id", "attr", "arg", "name", "asname"):
            name = getattr(node, field, None)
            if isinstance(name, str):
                yield getattr(node, "lineno", 0), name


@pytest.mark.parametrize("path", SOURCES, ids=MODULES.get)
def test_docstrings_begin_as_sentences(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    wrong = [f"{line}: {text}" for line, text in docstrings(tree) if FRAGMENT.match(text)]
    assert not wrong, "\n".join(wrong)
    unfinished = [
        f"{line}: {text}" for line, text in docstrings(tree) if text[-1] not in ".:?" and text
    ]
    assert not unfinished, "\n".join(unfinished)


@pytest.mark.parametrize("path", SOURCES, ids=MODULES.get)
def test_names_are_the_terms_of_the_field(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = [(line, name) for line, name in identifiers(tree)]
    wrong = [f"{line}: {name}" for line, name in names if name.strip("_").lower() in PRIVATE_WORDS]
    assert not wrong, "\n".join(wrong)


DOCUMENTS = ("README.md", "CONTRIBUTING.md")
NAMED_FILE = re.compile(r"`((?:cinc_ref|tests|tools|examples|comparison|docs|proofs)/[\w./-]*)`")


@pytest.mark.parametrize("name", DOCUMENTS)
def test_documents_name_files_that_exist(name):
    named = NAMED_FILE.findall((ROOT / name).read_text(encoding="utf-8"))
    missing = {path for path in named if "NAME" not in path and not _exists(path)}
    assert named and not missing, sorted(missing)


def _exists(path):
    return (PACKAGE.parent if path.startswith("cinc_ref/") else ROOT).joinpath(path).exists()


@pytest.mark.parametrize("path", SOURCES, ids=MODULES.get)
def test_functions_have_few_parameters(path):
    entry_points = {value.__name__ for value in FUNCTIONS.values()}
    if not is_importable(path.stem):
        pytest.skip(f"{path.stem} is not installed")
    most = PARAMETERS_OF_KERNELS if "kernels" in path.parts else PARAMETERS
    wrong = []
    tree = ast.parse(path.read_text(encoding="utf-8"))
    public = {kind.__name__ for kind in CLASSES.values()}
    kinds = [n for n in ast.walk(tree) if isinstance(n, ast.ClassDef) and n.name in public]
    constructors = [n for kind in kinds for n in kind.body if getattr(n, "name", "") == "__init__"]
    for node in ast.walk(tree):
        if node in constructors:  # as those that a dataclass generates
            continue
        if isinstance(node, ast.FunctionDef) and node.name not in entry_points:
            arguments = node.args.posonlyargs + node.args.args + node.args.kwonlyargs
            if len(arguments) > most:
                wrong.append(f"{node.lineno}: {node.name} has {len(arguments)}")
    assert not wrong, "\n".join(wrong)
