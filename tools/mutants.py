"""Mutation testing: do the tests of a room notice when its code is wrong?

    python -m tools.mutants --room flows --seed 0 --count 60

A mutant is the code with one seeded change: an operator, a comparison, a number or a minimum is
replaced, a `not` is dropped, the operands of a subtraction are swapped, an index is moved, or a
statement is deleted. Messages, docstrings, annotations, decorators and defaults stay as they are.
The tests of the room run on each mutant until one fails, and the mutants that none noticed are
printed. Those that no test can notice are listed with reasons in ``equivalent_mutants.toml``.

The tests run once on the unchanged code first, under coverage. A mutant is then tried, in a process
of its own, by the tests that run its line, the quickest first. One that takes far longer than the
unchanged code counts as noticed.
"""

import argparse
import ast
import copy
import importlib
import importlib.abc
import importlib.util
import json
import os
import random
import resource
import signal
import sys
import tempfile
import time
import tomllib
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]

MATHEMATICS = (
    "test_theory.py",
    "test_theorems.py",
    "test_random_kernels.py",
    "test_stability.py",
    "test_verdicts.py",
    "test_convolution.py",
    "test_bad_input.py",
    "test_log_abs_det.py",
    "test_derivatives.py",
    "test_causal_kernels.py",
    "test_stable.py",
    "test_trust.py",
    "test_bijections.py",
    "test_golden.py",
    "test_flows.py",
    "test_conformance.py",
)


class Room(NamedTuple):
    """The test files of a package, and whether they run without the compiler, which is quicker."""

    tests: tuple[str, ...]
    interpreted: bool


ROOMS = {
    "theory": Room(MATHEMATICS, False),
    "primitives": Room(MATHEMATICS, False),
    "bijections": Room(MATHEMATICS, False),
    # Without the compiler the lines of the loops are seen, and no cached code can be stale.
    "kernels": Room(
        (
            "test_causal_kernels.py",
            "test_pages.py",
            "test_plans.py",
            "test_coupling_operations.py",
        ),
        True,
    ),
    "flows": Room(
        (
            "test_flows.py",
            "test_dequantize.py",
            "test_systems.py",
            "test_latent.py",
            "test_trust.py",
            "test_evaluation.py",
            "test_comparison.py",
        ),
        True,
    ),
    "training": Room(
        (
            "test_training.py",
            "test_checkpoint.py",
            "test_presets.py",
            "test_constant_memory.py",
            "test_models_cli.py",
        ),
        True,
    ),
    "data": Room(("test_data.py", "test_readers.py"), True),
}

NOT_MUTATED = ("simd/block.py",)
"""Files that build machine code: they run only with the compiler, whose cache would be stale."""

FEW_TESTS = 5
"""The number of tests of a line below which all tests of its file are tried."""

SECONDS = 10
"""The seconds that a test may take beyond five times its usual time."""

MEMORY = 16 * 2**30
"""The bytes of address space of a mutant; one that asks for more counts as noticed."""


# ---- changes of the syntax tree ------------------------------------------------------------------

SWAPS = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult, ast.Mod: ast.FloorDiv, ast.Pow: ast.Mult,
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq, ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot,
    ast.IsNot: ast.Is, ast.And: ast.Or, ast.Or: ast.And,
}  # fmt: skip

EXTREMES = {
    "min": "max", "max": "min", "minimum": "maximum", "maximum": "minimum",
    "argmin": "argmax", "argmax": "argmin", "floor": "ceil", "ceil": "floor",
}  # fmt: skip


def changes_of(node):
    """Yield (name, function of a copy of the node) for everything that makes the node wrong."""
    yield from _changed_operators(node)
    yield from _changed_constants(node)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        yield "minus dropped", lambda n: setattr(n, "op", ast.UAdd())
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield "not dropped", lambda n: setattr(n, "operand", ast.UnaryOp(ast.Not(), n.operand))
    if isinstance(node, ast.If | ast.IfExp | ast.While):
        yield "condition negated", lambda n: setattr(n, "test", ast.UnaryOp(ast.Not(), n.test))
    if isinstance(node, ast.Name | ast.Attribute):
        field = "id" if isinstance(node, ast.Name) else "attr"
        old = getattr(node, field)
        if old in EXTREMES and isinstance(node.ctx, ast.Load):
            yield f"{old} to {EXTREMES[old]}", lambda n: setattr(n, field, EXTREMES[old])
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.BinOp):
        yield "index moved by one", lambda n: setattr(n, "slice", _plus_one(n.slice))
    if isinstance(node, ast.Break | ast.Continue):
        yield "statement deleted", lambda n: None
    if isinstance(node, ast.AugAssign):
        yield "statement deleted", lambda n: None
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        yield "statement deleted", lambda n: None
    if isinstance(node, ast.Assign) and not any(_binds_a_name(t) for t in node.targets):
        yield "statement deleted", lambda n: None


def _changed_operators(node):
    if isinstance(node, ast.BinOp | ast.BoolOp) and type(node.op) in SWAPS:
        new = SWAPS[type(node.op)]
        yield f"{type(node.op).__name__} to {new.__name__}", lambda n: setattr(n, "op", new())
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub):
        yield "operands of - swapped", _swap_operands
    if isinstance(node, ast.Compare) and type(node.ops[0]) in SWAPS:
        old = type(node.ops[0])
        yield (
            f"{old.__name__} to {SWAPS[old].__name__}",
            lambda n: n.ops.__setitem__(0, SWAPS[old]()),
        )


def _changed_constants(node):
    if isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield f"{node.value} to {not node.value}", lambda n: setattr(n, "value", not n.value)
    elif isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        yield f"{node.value} to {node.value + 1}", lambda n: setattr(n, "value", n.value + 1)
        if isinstance(node.value, int) and node.value > 0:
            yield f"{node.value} to {node.value - 1}", lambda n: setattr(n, "value", n.value - 1)


def _swap_operands(node):
    node.left, node.right = node.right, node.left


def _plus_one(node):
    return ast.BinOp(node, ast.Add(), ast.Constant(1))


def _binds_a_name(target):
    return not isinstance(target, ast.Subscript | ast.Attribute)


class Change(NamedTuple):
    """A change of one node: its place in `ast.walk`, and how people and lists refer to it."""

    place: int
    name: str
    line: int
    column: int
    function: str
    code: str


def all_changes(tree):
    """Yield the changes of everything inside functions that has an effect."""
    skipped, homes = _skipped(tree), {}
    _find_homes(tree, (), None, homes)
    for place, node in enumerate(ast.walk(tree)):
        function, statement = homes.get(id(node), ((), None))
        if function and id(node) not in skipped:
            code = ast.unparse(statement).splitlines()[0]
            for name, _ in changes_of(node):
                yield Change(place, name, node.lineno, node.col_offset, ".".join(function), code)


def _find_homes(node, function, statement, homes):
    """Write down the enclosing function, by names, and the statement of every node."""
    for child in ast.iter_child_nodes(node):
        inner = statement if not isinstance(child, ast.stmt) else child
        homes[id(child)] = (function if _inside_function(homes, node, function) else (), inner)
        named = isinstance(child, ast.FunctionDef | ast.ClassDef)
        _find_homes(child, (*function, child.name) if named else function, inner, homes)


def _inside_function(homes, node, function):
    """Return whether the node is a function or lies in one."""
    return isinstance(node, ast.FunctionDef | ast.Lambda) or bool(homes.get(id(node), ((),))[0])


def _skipped(tree):
    """Return the ids of nodes that only speak: messages, annotations, decorators and imports."""
    skipped = set()
    for node in ast.walk(tree):
        parts = [*_without_effect(node)]
        if isinstance(node, ast.Raise | ast.JoinedStr | ast.ImportFrom | ast.AnnAssign):
            parts.append(node)
        if isinstance(node, ast.FunctionDef):
            parts += [*node.decorator_list, node.args, *([node.returns] if node.returns else [])]
        for part in parts:
            skipped.update(map(id, ast.walk(part)))
    return skipped


def _without_effect(node):
    """Yield numbers that may be others: of random cases, and the length that reshape derives."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
        pair = node.left, node.right
        if any(isinstance(part, ast.Name) and part.id == "effort" for part in pair):
            yield from (part for part in pair if isinstance(part, ast.Constant))
    if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "reshape":
        negative = [part for part in node.args if isinstance(part, ast.UnaryOp)]
        yield from (part.operand for part in negative if isinstance(part.op, ast.USub))
    if isinstance(node, ast.keyword) and node.arg in ("stacklevel", "maxsize"):
        yield node.value
    if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "zip":
        yield from (keyword.value for keyword in node.keywords)  # strict: both are as long


def mutant(tree, change):
    """Copy the tree and make one change in the copy."""
    tree = copy.deepcopy(tree)
    node = next(node for k, node in enumerate(ast.walk(tree)) if k == change.place)
    if change.name == "statement deleted":
        _Deletion(node).visit(tree)
    else:
        dict(changes_of(node))[change.name](node)
    return ast.fix_missing_locations(tree)


class _Deletion(ast.NodeTransformer):
    """Replaces one statement by `pass`."""

    def __init__(self, statement):
        self.statement = statement

    def visit(self, node):
        return ast.Pass() if node is self.statement else super().generic_visit(node)


class Equivalents:
    """The listed mutants that no test can notice; each has a reason."""

    def __init__(self, room):
        path = Path(__file__).with_name("equivalent_mutants.toml")
        rows = tomllib.loads(path.read_text(encoding="utf-8"))["mutant"]
        self.listed = {
            (row.get("function"), row["code"], change)
            for row in rows
            if row["room"] == room
            for change in row["changes"]
        }

    def __contains__(self, change):
        return not self.listed.isdisjoint(_keys(change))

    def unmatched(self, changes):
        """List the entries that match no mutant, because the code has changed since."""
        known = {key for change in changes for key in _keys(change)}
        return sorted(self.listed - known, key=str)


def _keys(change):
    """Return the keys by which a list may name a change: with the function, or without it."""
    return {(function, change.code, change.name) for function in (change.function, None)}


# ---- running the tests ---------------------------------------------------------------------------


class Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Loads one module from its changed tree."""

    def __init__(self, path, tree):
        self.name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        self.path, self.tree = path, tree

    def find_spec(self, fullname, path=None, target=None):
        if fullname != self.name:
            return None
        package = [str(self.path.parent)] if self.path.name == "__init__.py" else None
        return importlib.util.spec_from_file_location(
            fullname, self.path, loader=self, submodule_search_locations=package
        )

    def exec_module(self, module):
        exec(compile(self.tree, self.path, "exec"), module.__dict__)


class Baseline:
    """Which tests run which line, and how long each takes, from a run on the unchanged code."""

    def __init__(self, tests):
        with tempfile.TemporaryDirectory() as folder:
            self._measure(Path(folder), tests)

    def _measure(self, folder, tests):
        from coverage import CoverageData

        os.environ["COVERAGE_FILE"] = str(folder / "coverage")
        options = ["--cov=cinc_ref", "--cov-context=test", "--cov-report=", "--cov-fail-under=0"]
        files = [str(ROOT / "tests" / test) for test in tests if (ROOT / "tests" / test).exists()]
        exit_code = run_tests([*options, *files], Stopwatch(folder / "tests.json"))
        self.seconds, failed = json.loads((folder / "tests.json").read_text(encoding="utf-8"))
        if exit_code:
            sys.exit(f"the tests must pass on the unchanged code; {failed} did not")
        data = CoverageData(str(folder / "coverage"))
        data.read()
        self.contexts = {path: data.contexts_by_lineno(path) for path in data.measured_files()}

    def tests_of(self, path, line):
        """Return {test: seconds} in the order in which a mutant of this line meets them.

        Where few tests run it, the others of its file follow: the results of a cached function are
        used by more tests than the one that was first to call it. Where a fixture runs it, so do
        the others of the test's file, which may share the fixture. Compiled lines are not seen.
        """
        by_line = self.contexts.get(str(path), {})
        of_file = {_test_of(context) for contexts in by_line.values() for context in contexts}
        of_line = {_test_of(context) for context in by_line.get(line, ())}
        chosen = of_line if len(of_line) > FEW_TESTS else of_file
        set_up = {test for test in map(_set_up_by, by_line.get(line, ())) if test}
        chosen |= {test for test in self.seconds if test.partition("::")[0] in set_up}
        chosen = chosen & set(self.seconds) or set(self.seconds)
        ordered = sorted(chosen, key=lambda test: (test not in of_line, self.seconds[test]))
        return {test: self.seconds[test] for test in ordered}


def _test_of(context):
    return context.rpartition("|")[0]


def _set_up_by(context):
    """Return the file of the test in whose setup lines ran; empty if it was not the setup."""
    test, _, phase = context.rpartition("|")
    return test.partition("::")[0] if phase == "setup" else ""


class Plugin:
    """Stops Hypothesis at a failure: no time for a smaller one."""

    def pytest_configure(self):
        """Change the profile after that of the suite has been loaded."""
        from hypothesis import Phase, settings

        phases = [Phase.explicit, Phase.generate]
        settings.register_profile("mutants", settings(), phases=phases)
        settings.load_profile("mutants")


class Stopwatch(Plugin):
    """Writes down how long every test takes."""

    def __init__(self, path):
        self.path, self.seconds, self.failed = path, {}, []

    def pytest_runtest_logreport(self, report):
        """Add up setup, call and teardown."""
        self.failed += [report.nodeid] if report.failed else []
        self.seconds[report.nodeid] = self.seconds.get(report.nodeid, 0) + report.duration

    def pytest_sessionfinish(self):
        self.path.write_text(json.dumps([self.seconds, self.failed]), encoding="utf-8")


class Selection(Plugin):
    """Keeps to some tests, in their order, and ends those that loop."""

    def __init__(self, tests):
        self.tests = tests
        self.places = {test: place for place, test in enumerate(tests)}

    def pytest_collection_modifyitems(self, items):
        """Sort last of all plugins: nothing is moved afterwards."""
        items[:] = sorted(
            (item for item in items if item.nodeid in self.places),
            key=lambda item: self.places[item.nodeid],
        )

    def pytest_runtest_setup(self, item):
        """Set the signal that ends the process."""
        signal.alarm(int(SECONDS + 5 * self.tests[item.nodeid]))


def run_tests(arguments, plugin, finder=None, seconds=None):
    """Run pytest in a process of its own; return its exit code, 0 if all tests pass."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    import pytest

    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    os.dup2(1, 2)
    if finder:
        sys.meta_path.insert(0, finder)
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
        signal.alarm(6 * SECONDS)  # until the first test starts
    options = ["-x", "-q", "-p", "no:cacheprovider", "-p", "no:doctest", "-p", "no:xdist"]
    os._exit(int(pytest.main([*options, "-o", "addopts=", *arguments], plugins=[plugin])))


def survives(path, tree, tests):
    """Return whether the tests pass on this code, within three times their usual time."""
    files = sorted({str(ROOT / test.partition("::")[0]) for test in tests})
    seconds = int(6 * SECONDS + 3 * sum(tests.values()))
    return run_tests(files, Selection(tests), Finder(path, tree), seconds) == 0


PRELOADED = (
    "autograd.numpy",
    "autograd.test_util",
    "hypothesis.extra.numpy",
    "numba",
    "pytest",
    "scipy.linalg",
    "scipy.sparse",
    "scipy.special",
    "tests.conftest",
)
"""The modules loaded once for all processes; nothing of the package is, so that mutants load it."""


def files_of(room):
    """List the modules of a room that are mutated."""
    paths = sorted((ROOT / "cinc_ref" / room).rglob("*.py"))
    return [path for path in paths if not path.as_posix().endswith(NOT_MUTATED)]


def arguments_of_command():
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--room", choices=ROOMS, required=True, help="the package to change")
    parser.add_argument("--count", type=int, default=60, help="the number of mutants")
    parser.add_argument("--seed", type=int, default=0, help="the seed of their choice")
    parser.add_argument("--files", nargs="+", default=[""], help="keep to files that end so")
    return parser.parse_args()


def main():
    """Print the survivors of a room and their rate."""
    arguments = arguments_of_command()
    room = ROOMS[arguments.room]
    os.environ["CI"] = "1"  # the same Hypothesis cases for every mutant
    if room.interpreted:
        os.environ["NUMBA_DISABLE_JIT"] = "1"
    for name in PRELOADED:
        importlib.import_module(name)
    from tqdm import tqdm

    trees = {path: ast.parse(path.read_text(encoding="utf-8")) for path in files_of(arguments.room)}
    equivalents = Equivalents(arguments.room)
    everything = [(path, change) for path, tree in trees.items() for change in all_changes(tree)]
    for key in equivalents.unmatched(change for _, change in everything):
        print("equivalent_mutants.toml: no such mutant:", *key, sep=" | ")
    found = [pair for pair in everything if pair[0].as_posix().endswith(tuple(arguments.files))]
    chosen = random.Random(arguments.seed).sample(found, min(arguments.count, len(found)))
    tried = [pair for pair in chosen if pair[1] not in equivalents]
    baseline, start, survivors = Baseline(room.tests), time.monotonic(), 0
    for path, change in tqdm(tried):
        tests = baseline.tests_of(path, change.line)
        if survives(path, mutant(trees[path], change), tests):
            survivors += 1
            name = path.relative_to(ROOT).as_posix()
            where = f"{name}:{change.line}:{change.column}: {change.function}"
            tqdm.write(f"survived: {where}: {change.name}: {change.code}", file=sys.stdout)
    left_out = len(chosen) - len(tried)
    print(
        f"{arguments.room}: {len(tried)} mutants of {len(found)}, {left_out} equivalent ones left "
        f"out: {survivors} survived, {100 * survivors / max(len(tried), 1):.1f} %, "
        f"in {(time.monotonic() - start) / 60:.0f} minutes"
    )


if __name__ == "__main__":
    main()
