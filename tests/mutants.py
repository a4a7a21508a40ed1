"""Do the tests notice when the code is wrong? Seeded mutants of theory, primitives and bijections.

``python -m tests.mutants 300 --seed 0`` changes one operator, comparison or number at a time, runs
tests until one fails, and prints the mutants that none noticed. Messages, docstrings, annotations
and decorators are left alone. ``--parts bijections`` keeps to one part.

It is quick because the tests run once on the unchanged code first, under coverage: a mutant then
meets, in a process of its own, the tests that run its line, the shortest first. Most are noticed
within two seconds; a survivor costs them all.
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
from pathlib import Path

from tqdm import tqdm

ROOT = Path(__file__).parents[1]
PARTS = ("theory", "primitives", "bijections")
TESTS = (  # those that have to notice
    "test_theory.py",
    "test_verdicts.py",
    "test_theorems.py",
    "test_stability.py",
    "test_convolution.py",
    "test_bad_input.py",
    "test_log_abs_det.py",
    "test_derivatives.py",
    "test_batched.py",
    "test_stable.py",
    "test_trust.py",
    "test_bijections.py",
    "test_golden.py",
    "test_flows.py",
    "test_conformance.py",
)
FEW = 5
SECONDS = 10
"""A test that takes so much longer than five times its usual time loops, and counts as failed."""
MEMORY = 16 * 2**30
"""Bytes of address space: a mutant that asks for more fails."""

SWAPS = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult, ast.Mod: ast.FloorDiv, ast.Pow: ast.Mult,
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq, ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot,
    ast.IsNot: ast.Is, ast.And: ast.Or, ast.Or: ast.And,
}  # fmt: skip

EQUIVALENT = {
    (
        "cinc_ref/primitives/causal.py",
        'finite = np.zeros(1, images.dtype.newbyteorder("="))',
        "1 to 2",
    ): "only the first element is used",
    (
        "cinc_ref/theory/conditioning.py",
        "return min(-log10(error), most) if error < 1 else 0.0",
        "Lt to LtE",
    ): "log10(1) is 0 as well",
    **{
        (
            "cinc_ref/theory/substitution.py",
            "return bool(len(block) * condition < 1e12)",
            change,
        ): "a block that is not cleared is decided exactly, and 1e12 is far below 1/eps"
        for change in ("Lt to LtE", "1000000000000.0 to 1000000000001.0")
    },
    (
        "cinc_ref/theory/padding.py",
        'return correlation_matrix(kernel, size, kh // 2, kw // 2, circular=padding == "circular")',
        "2 to 3",
    ): "kernels are 3x3 here, and 3 // 3 is 3 // 2",
    (
        "cinc_ref/bijections/conv.py",
        "np.zeros((1, 1, height, width)), self.corner, self.dilation, self.anchor",
        "1 to 2",
    ): "only the sides of this kernel are looked at",
    **{
        ("cinc_ref/primitives/network.py", code, change): "two ways to the same sum, by speed"
        for code in ("if channels <= outputs or k == 1:", "if channels <= outputs:")
        for change in ("1 to 2", "LtE to Lt", "Eq to NotEq", "Or to And", "condition negated")
    },
    (
        "cinc_ref/bijections/actnorm.py",
        "deviation = np.where(deviation > 1e-6, deviation, 1)  "
        "# a constant channel keeps its scale",
        "Gt to GtE",
    ): "the threshold itself never comes",
    (
        "cinc_ref/bijections/base.py",
        "return log_det * np.ones(images.shape[0], value_of(images).dtype)",
        "Mult to Div",
    ): "by ones",
    (
        "cinc_ref/bijections/coupling.py",
        "bounds = list(zip([0, *stops[:-1]], stops, strict=True))",
        "True to False",
    ): "as many starts as stops, always",
    **{
        (
            "cinc_ref/primitives/corner.py",
            "if not pivots.all() or np.linalg.cond(corner, 1) * len(corner) "
            "> 1 / np.finfo(corner.dtype).eps:",
            change,
        ): reason
        for change, reason in (
            ("Gt to GtE", "the threshold itself never comes"),
            ("Div to Mult", "exact elimination decides the same where floating point would have"),
            ("not dropped", "the same; and beside a zero pivot the condition is beyond 1/eps"),
            ("1 to 2", "another norm, or twice the bound: the factor len(corner) is the margin"),
        )
    },
    (
        "cinc_ref/primitives/trust.py",
        "if digits < FEW_DIGITS or not residual <= max(10, kernel[0].size / 2):",
        "Lt to LtE",
    ): "the threshold itself never comes",
    (
        "cinc_ref/bijections/emerging.py",
        "(k + 1) // 2,",
        "1 to 2",
    ): "k is odd, and then (k + 2) // 2 is (k + 1) // 2",
    (
        "cinc_ref/theory/theorems.py",
        "triangular = not np.triu(entries, 1).any() or not np.tril(entries, -1).any()",
        "1 to 2",
    ): "fewer examples are found, and each is one",
    (
        "cinc_ref/theory/theorems.py",
        "small = (case for case in lower if case.unknowns <= 6)",
        "6 to 7",
    ): "how large an example may be that is shown",
    (
        "cinc_ref/theory/substitution.py",
        "if offset >= 0:",
        "GtE to Gt",
    ): "both ways give the same slices at 0",
    (
        "cinc_ref/theory/norms.py",
        "kernel = kernel[:, :, : geometry.anchor[0] + 1]",
        "1 to 2",
    ): "one more row after the anchor, where all taps are 0",
    (
        "cinc_ref/theory/theorems.py",
        "case = with_integer_images(rng, (unit_case if count % 2 else integer_case)(rng))",
        "condition negated",
    ): "in turn all the same",
    **{
        ("cinc_ref/theory/theorems.py", "if not 2 * largest < 2**53:", change): (
            "no case comes near the bound"
        )
        for change in ("Mult to Div", "Lt to LtE", "2 to 3", "53 to 54")
    },
    **{
        (
            "cinc_ref/theory/cases.py",
            "weights = rng.integers(-2, 3, len(case.kernel))",
            change,
        ): "any integer combination makes B singular"
        for change in ("2 to 3", "3 to 4")
    },
    (
        "cinc_ref/theory/cases.py",
        "taps = rng.uniform(-1, 1, case.kernel.shape) * case.kernel",
        "1 to 2",
    ): "scaled to a fixed norm afterwards",
    **{
        ("cinc_ref/theory/exact.py", code, "True to False"): "both are as long, always"
        for code in (
            "rows, scales = zip(*(to_integers(row) for row in matrix), strict=True)",
            "return [(a * first - factor * b) // previous for a, b in zip(rest, top, strict=True)]",
        )
    },
}
"""(file, line of code, change): why no test can notice it."""


def changes_of(node):
    """Functions that make the node wrong, each with the name of the change."""
    if isinstance(node, ast.BinOp | ast.BoolOp) and type(node.op) in SWAPS:
        new = SWAPS[type(node.op)]
        yield f"{type(node.op).__name__} to {new.__name__}", lambda n: setattr(n, "op", new())
    if isinstance(node, ast.Compare) and type(node.ops[0]) in SWAPS:
        old = type(node.ops[0])
        yield (
            f"{old.__name__} to {SWAPS[old].__name__}",
            lambda n: n.ops.__setitem__(0, SWAPS[old]()),
        )
    if isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield f"{node.value} to {not node.value}", lambda n: setattr(n, "value", not n.value)
    elif isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        yield f"{node.value} to {node.value + 1}", lambda n: setattr(n, "value", n.value + 1)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.Not):
        new = ast.UAdd if isinstance(node.op, ast.USub) else None
        name = "minus dropped" if new else "not dropped"
        yield name, lambda n: _drop(n, new)
    if isinstance(node, ast.If | ast.IfExp | ast.While):
        yield "condition negated", lambda n: setattr(n, "test", ast.UnaryOp(ast.Not(), n.test))


def _drop(node, operator):
    """Without its sign or its `not`: twice the operator is as good as none."""
    node.op, node.operand = (
        (operator(), node.operand)
        if operator
        else (ast.Not(), ast.UnaryOp(ast.Not(), node.operand))
    )


def _without_effect(node):
    """Numbers that may be others: how many random cases, and the length that reshape finds."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
        pair = node.left, node.right
        if any(isinstance(part, ast.Name) and part.id == "effort" for part in pair):
            yield from (part for part in pair if isinstance(part, ast.Constant))
    if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "reshape":
        negative = [part for part in node.args if isinstance(part, ast.UnaryOp)]
        yield from (part.operand for part in negative if isinstance(part.op, ast.USub))


def sites(tree):
    """Nodes of function bodies, by their place in `ast.walk`, that may be changed."""
    skipped = set()
    for node in ast.walk(tree):
        parts = [*_without_effect(node)]
        if isinstance(node, ast.Raise | ast.JoinedStr | ast.ImportFrom | ast.AnnAssign):
            parts.append(node)
        if isinstance(node, ast.FunctionDef):
            parts += [*node.decorator_list, node.args, *([node.returns] if node.returns else [])]
        for part in parts:
            skipped.update(map(id, ast.walk(part)))
    bodies = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.Lambda)
        for inner in ast.walk(node)
    }
    for place, node in enumerate(ast.walk(tree)):
        if id(node) in bodies - skipped:
            for change, _ in changes_of(node):
                yield place, change, getattr(node, "lineno", 0)


def mutant(tree, place, change):
    """A copy of the tree with one change made."""
    tree = copy.deepcopy(tree)
    node = next(node for k, node in enumerate(ast.walk(tree)) if k == place)
    dict(changes_of(node))[change](node)
    return ast.fix_missing_locations(tree)


class Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Gives one module its changed code."""

    def __init__(self, path, tree):
        self.name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        self.path, self.tree = path, tree

    def find_spec(self, fullname, path=None, target=None):
        """Only of that module."""
        if fullname == self.name:
            return importlib.util.spec_from_file_location(fullname, self.path, loader=self)
        return None

    def exec_module(self, module):
        """Run the changed code."""
        exec(compile(self.tree, self.path, "exec"), module.__dict__)


class Baseline:
    """Which tests run which line, and how long each takes, from a run on the unchanged code."""

    def __init__(self):
        with tempfile.TemporaryDirectory() as folder:
            self._measure(Path(folder))

    def _measure(self, folder):
        from coverage import CoverageData

        os.environ["COVERAGE_FILE"] = str(folder / "coverage")
        options = ["--cov=cinc_ref", "--cov-context=test", "--cov-report=", "--cov-fail-under=0"]
        files = [str(ROOT / "tests" / test) for test in TESTS]
        if run_tests([*options, *files], Stopwatch(folder / "seconds.json")):
            sys.exit("the tests must pass on the unchanged code; they do not")
        self.seconds = json.loads((folder / "seconds.json").read_text(encoding="utf-8"))
        data = CoverageData(str(folder / "coverage"))
        data.read()
        self.contexts = {path: data.contexts_by_lineno(path) for path in data.measured_files()}

    def tests_of(self, path, line):
        """{test: seconds} in the order in which a mutant of this line meets them.

        Where few run it, the others of its file follow: the results of a cached function are used
        by more tests than the one that was first to call it. Compiled lines are not seen at all.
        """
        by_line = self.contexts.get(str(path), {})
        of_file = {_test_of(context) for contexts in by_line.values() for context in contexts}
        of_line = {_test_of(context) for context in by_line.get(line, ())}
        chosen = of_line if len(of_line) > FEW else of_file
        chosen = chosen & set(self.seconds) or set(self.seconds)
        ordered = sorted(chosen, key=lambda test: (test not in of_line, self.seconds[test]))
        return {test: self.seconds[test] for test in ordered}


def _test_of(context):
    return context.rpartition("|")[0]


class Plugin:
    """Hypothesis stops at a failure: no time for a smaller one."""

    def pytest_configure(self):
        """After the profile of the suite has been loaded."""
        from hypothesis import Phase, settings

        phases = [Phase.explicit, Phase.generate]
        settings.register_profile("mutants", settings(), phases=phases)
        settings.load_profile("mutants")


class Stopwatch(Plugin):
    """Writes down how long every test takes."""

    def __init__(self, path):
        self.path, self.seconds = path, {}

    def pytest_runtest_logreport(self, report):
        """Add up setup, call and teardown."""
        self.seconds[report.nodeid] = self.seconds.get(report.nodeid, 0) + report.duration

    def pytest_sessionfinish(self):
        """At the end."""
        self.path.write_text(json.dumps(self.seconds), encoding="utf-8")


class Selection(Plugin):
    """Keeps to some tests, in their order, and ends those that loop."""

    def __init__(self, tests):
        self.tests = tests
        self.places = {test: place for place, test in enumerate(tests)}

    def pytest_collection_modifyitems(self, items):
        """Last of all plugins: nothing is moved afterwards."""
        items[:] = sorted(
            (item for item in items if item.nodeid in self.places),
            key=lambda item: self.places[item.nodeid],
        )

    def pytest_runtest_setup(self, item):
        """The signal ends the process."""
        signal.alarm(int(SECONDS + 5 * self.tests[item.nodeid]))


def run_tests(arguments, plugin, finder=None):
    """How a run of pytest ends, in a process of its own: 0 if all tests pass."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    import pytest

    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    os.dup2(1, 2)
    if finder:
        sys.meta_path.insert(0, finder)
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        signal.alarm(6 * SECONDS)  # until the first test starts
    options = ["-x", "-q", "-p", "no:cacheprovider", "-p", "no:doctest", "-p", "no:xdist"]
    os._exit(int(pytest.main([*options, "-o", "addopts=", *arguments], plugins=[plugin])))


def survives(path, tree, tests):
    """Whether the tests pass on this code."""
    files = sorted({str(ROOT / test.partition("::")[0]) for test in tests})
    return run_tests(files, Selection(tests), Finder(path, tree)) == 0


def all_mutants(parts=PARTS):
    """(path, tree, place, change, line) of everything that can be changed."""
    for part in parts:
        for path in sorted((ROOT / "cinc_ref" / part).glob("*.py")):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            for place, change, line in sites(tree):
                yield path, tree, place, change, line


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
"""Loaded once for all processes; nothing of the package is: its kernels come from their cache."""


def main():
    """Print the survivors and how many they are."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("mutants", type=int, nargs="?", default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    arguments = parser.parse_args()
    os.environ["CI"] = "1"  # the same Hypothesis cases for every mutant
    for name in PRELOADED:
        importlib.import_module(name)
    found = list(all_mutants(arguments.parts))
    chosen = random.Random(arguments.seed).sample(found, min(arguments.mutants, len(found)))
    baseline = Baseline()
    survivors = equivalent = 0
    start = time.monotonic()
    for path, tree, place, change, line in tqdm(chosen):
        code = path.read_text(encoding="utf-8").splitlines()[line - 1].strip()
        name = path.relative_to(ROOT).as_posix()
        if (name, code, change) in EQUIVALENT:
            equivalent += 1
            continue
        if survives(path, mutant(tree, place, change), baseline.tests_of(path, line)):
            survivors += 1
            tqdm.write(f"survived: {name}:{line}: {change}: {code}")
    tried = len(chosen) - equivalent
    print(f"{tried} mutants of {len(found)}, {equivalent} equivalent ones left out: ", end="")
    print(f"{survivors} survived, {100 * survivors / max(tried, 1):.1f} %, ", end="")
    print(f"in {(time.monotonic() - start) / 60:.0f} minutes")


if __name__ == "__main__":
    main()
