"""Names that modules offer: those of stubs and `__all__`, and those that an editor completes."""

import ast
import importlib
import pkgutil
import re
import types
from pathlib import Path
from typing import get_args

import pytest

import cinc_ref as cr
from cinc_ref import _typing
from cinc_ref.data import sets
from cinc_ref.flows import systems
from cinc_ref.theory import general_convolution, proofs
from tests.support.checkout import PACKAGE, ROOT, is_importable

NAMES = [
    module.name
    for module in pkgutil.walk_packages(cr.__path__, "cinc_ref.")
    if not module.name.endswith("__main__") and is_importable(module.name)
]
STUBS = sorted(PACKAGE.rglob("*.pyi"))
MAP = set(re.findall(r"^\| .*", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE))


def public(names):
    return {name for name in names if name.isidentifier() and name[0] != "_"}


@pytest.mark.parametrize("stub", STUBS, ids=lambda stub: stub.parent.name)
def test_the_run_time_reads_every_name_of_a_stub_and_no_other(stub):
    package = importlib.import_module(".".join(stub.parent.relative_to(PACKAGE.parent).parts))
    imports = [n for n in ast.parse(stub.read_text()).body if isinstance(n, ast.ImportFrom)]
    listed = [alias.asname for node in imports for alias in node.names]
    assert dir(package) == package.__all__ == sorted(listed)
    assert len(set(listed)) == len(listed)
    for node in imports:
        (alias,) = node.names
        home = package.__name__ + ("" if node.module is None else f".{node.module}")
        assert getattr(package, alias.name) is getattr(importlib.import_module(home), alias.name)


@pytest.mark.parametrize("package", [cr, cr.theory, cr.testing], ids=lambda p: p.__name__)
def test_a_package_completes_public_names_alone(package):
    assert dir(package) == sorted(public(dir(package)))
    assert not hasattr(package, "no_such_name")


def test_what_the_map_of_the_readme_names_is_an_attribute():
    named = {name for row in MAP for name in re.findall(r"`cinc_ref/(\w+)", row)}
    assert {"bench", "sampling", "compilation", "theory", "plots"} <= named <= set(dir(cr))


@pytest.mark.parametrize("name", NAMES)
def test_all_lists_names_of_the_package_alone(name):
    module = importlib.import_module(name)
    assert len(set(module.__all__)) == len(module.__all__)
    assert all(hasattr(module, listed) for listed in module.__all__)
    foreign = set()
    for node in ast.walk(ast.parse(Path(module.__file__).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import | ast.ImportFrom):
            home = getattr(node, "module", None) or node.names[0].name
            if home.split(".")[0] != "cinc_ref":
                foreign |= {alias.asname or alias.name for alias in node.names}
    assert not foreign & set(module.__all__)


@pytest.mark.parametrize("package", [cr, cr.theory, cr.testing], ids=lambda p: p.__name__)
def test_a_module_completes_no_imported_names(package):
    for module in (getattr(package, name) for name in dir(package)):
        if isinstance(module, types.ModuleType):
            submodules = {m.name for m in pkgutil.iter_modules(getattr(module, "__path__", ()))}
            assert public(dir(module)) <= {*module.__all__, *submodules}, module.__name__


def test_tables_of_options_have_the_keys_of_their_types():
    assert cr.geometry.CORNERS == get_args(_typing.Corner)
    assert tuple(general_convolution.PADDINGS) == get_args(general_convolution.Padding)
    assert tuple(cr.data.IMAGE_SETS) == get_args(sets.SetName)
    assert tuple(cr.flows.SYSTEMS) == get_args(systems.SystemName)
    assert tuple(cr.flows.COUPLINGS) == get_args(systems.CouplingName)
    assert tuple(proofs.ORDERS) == get_args(proofs.IndexOrder)
