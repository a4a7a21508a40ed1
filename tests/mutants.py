"""Do the tests notice when the code is wrong? Seeded mutants of theory, primitives and bijections.

``python -m tests.mutants 300 --seed 0`` changes one operator, comparison or number at a time in a
process of its own, runs the tests of that part until one fails, and prints the mutants that none
noticed. Messages, docstrings, annotations and decorators are left alone. ``--parts bijections``
keeps to one part. A mutant takes three seconds on average, one of theory more: its tests are the
longest.
"""

import argparse
import ast
import copy
import importlib
import importlib.abc
import importlib.util
import os
import random
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
TESTS = {  # part: the tests that have to notice
    "theory": [
        "test_theory.py",
        "test_theorems.py",
        "test_stability.py",
        "test_log_abs_det.py",
        "test_bad_input.py",
        "test_convolution.py",
    ],
    "primitives": [
        "test_convolution.py",
        "test_bad_input.py",
        "test_log_abs_det.py",
        "test_derivatives.py",
        "test_batched.py",
        "test_stable.py",
        "test_trust.py",
        "test_bijections.py",
        "test_conformance.py",
        "test_flows.py",
    ],
    "bijections": ["test_bijections.py", "test_golden.py", "test_flows.py", "test_strategies.py"],
}
SECONDS = 240
"""After so long a mutant counts as noticed: it loops."""

SWAPS = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult, ast.Mod: ast.FloorDiv, ast.Pow: ast.Mult,
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq, ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot,
    ast.IsNot: ast.Is, ast.And: ast.Or, ast.Or: ast.And,
}  # fmt: skip

EQUIVALENT = {
    (
        "cinc_ref/bijections/conv.py",
        "np.zeros((1, 1, height, width)), self.corner, self.dilation, self.anchor",
        "1 to 2",
    ): "only the sides of this kernel are looked at",
    (
        "cinc_ref/primitives/network.py",
        "if channels <= outputs or k == 1:",
        "1 to 2",
    ): "chooses between two ways to the same sum, by speed",
    (
        "cinc_ref/primitives/network.py",
        "products = (rows @ images.reshape(channels, -1)).reshape(k * k, outputs, *pixels)",
        "1 to 2",
    ): "NumPy takes any negative length as the one to be found",
    (
        "cinc_ref/bijections/conv.py",
        "flat = np.arange(np.prod(shape)).reshape(*shape[:2], -1)",
        "1 to 2",
    ): "NumPy takes any negative length as the one to be found",
    (
        "cinc_ref/bijections/actnorm.py",
        "deviation = np.where(deviation > 1e-6, deviation, 1)  "
        "# a constant channel keeps its scale",
        "Gt to GtE",
    ): "the threshold itself never comes",
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


def sites(tree):
    """Nodes of function bodies, by their place in `ast.walk`, that may be changed."""
    skipped = set()
    for node in ast.walk(tree):
        parts = []
        if isinstance(node, ast.Raise | ast.JoinedStr | ast.ImportFrom | ast.AnnAssign):
            parts = [node]
        if isinstance(node, ast.FunctionDef):
            parts = [*node.decorator_list, node.args, *([node.returns] if node.returns else [])]
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


def survives(path, tree, tests):
    """Whether the tests pass on this code, found out in a process of its own."""
    child = os.fork()
    if child == 0:
        import pytest

        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os.dup2(1, 2)
        sys.meta_path.insert(0, Finder(path, tree))
        options = ["-x", "-q", "-p", "no:cacheprovider", "-p", "no:doctest"]
        options += ["-o", "addopts=", "-p", "no:randomly"]
        os._exit(int(pytest.main([*options, *tests])))
    start = time.monotonic()
    while time.monotonic() - start < SECONDS:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status) == 0
        time.sleep(0.02)
    os.kill(child, 9)
    os.waitpid(child, 0)
    return False


def all_mutants(parts=tuple(TESTS)):
    """(part, path, tree, place, change, line) of everything that can be changed."""
    for part in parts:
        for path in sorted((ROOT / "cinc_ref" / part).glob("*.py")):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            for place, change, line in sites(tree):
                yield part, path, tree, place, change, line


PRELOADED = (
    "autograd.numpy",
    "autograd.test_util",
    "hypothesis.extra.numpy",
    "numba",
    "pytest",
    "scipy.linalg",
    "scipy.sparse",
    "scipy.special",
)
"""Loaded once for all processes; of ours nothing is, and compiled kernels come from their cache."""


def main():
    """Print the survivors and how many they are."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("mutants", type=int, nargs="?", default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--parts", nargs="+", choices=TESTS, default=list(TESTS))
    arguments = parser.parse_args()
    os.environ["CI"] = "1"  # the same Hypothesis cases for every mutant
    for name in PRELOADED:
        importlib.import_module(name)
    found = list(all_mutants(arguments.parts))
    chosen = random.Random(arguments.seed).sample(found, min(arguments.mutants, len(found)))
    survivors = equivalent = 0
    for part, path, tree, place, change, line in chosen:
        code = path.read_text(encoding="utf-8").splitlines()[line - 1].strip()
        name = path.relative_to(ROOT).as_posix()
        if (name, code, change) in EQUIVALENT:
            equivalent += 1
            continue
        tests = [str(ROOT / "tests" / test) for test in TESTS[part]]
        if survives(path, mutant(tree, place, change), tests):
            survivors += 1
            print(f"survived: {name}:{line}: {change}: {code}", flush=True)
    tried = len(chosen) - equivalent
    print(f"{tried} mutants of {len(found)}, {equivalent} equivalent ones left out: ", end="")
    print(f"{survivors} survived, {100 * survivors / max(tried, 1):.1f} %")


if __name__ == "__main__":
    main()
