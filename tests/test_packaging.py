"""What an installation brings, and what an import costs."""

import configparser
import importlib.metadata
import os
import re
import subprocess
from fnmatch import fnmatch
from importlib import import_module

import pytest

import cinc_ref
from cinc_ref._extras import extra
from cinc_ref.errors import MissingExtraError
from tests.support.checkout import PACKAGE, ROOT
from tests.support.processes import run_code

SETUP = configparser.RawConfigParser()
SETUP.read(ROOT / "setup.cfg", encoding="utf-8")


def python(code):
    """What a fresh interpreter prints when it runs `code`."""
    environment = {**os.environ, "PYTHONPATH": str(PACKAGE.parent)}
    return run_code(code, env=environment).stdout.strip()


def test_the_version_is_the_same_wherever_it_stands():
    assert SETUP["metadata"]["version"] == "attr: cinc_ref.__version__"
    version = cinc_ref.__version__
    newest = re.search(r"^## (\S+) - ", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    assert newest[1] == version
    assert f"\nversion: {version}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")


def test_an_installation_has_the_version_of_the_package():
    try:
        installed = importlib.metadata.version("cinc_ref")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("cinc_ref is not installed")
    assert installed == cinc_ref.__version__


def test_the_sdist_holds_every_file_of_the_checkout():
    listed = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files"], capture_output=True, text=True, check=False
    )
    if listed.returncode:
        pytest.skip("this is no clone of the repository")
    lines = (ROOT / "MANIFEST.in").read_text(encoding="utf-8").splitlines()
    grafted = {line.split()[1] for line in lines if line.startswith("graft ")}
    included = [p for line in lines if line.startswith("include ") for p in line.split()[1:]]
    some = [line.split()[1:] for line in lines if line.startswith("recursive-include ")]
    included += [f"{folder}/{pattern}" for folder, *patterns in some for pattern in patterns]
    brought = {"LICENSE", "MANIFEST.in", "cinc_ref_pytest.py", "pyproject.toml", "setup.cfg"}
    for name in set(listed.stdout.split()) - brought - {".gitignore"}:
        top, *rest = name.split("/")
        assert (rest and top in grafted) or any(fnmatch(name, p) for p in included), name


def test_the_oldest_versions_are_the_bounds_of_setup_cfg():
    bounds = {}
    options = [SETUP["options"]["install_requires"], *SETUP["options.extras_require"].values()]
    for name, _, version in re.findall(
        r"^([\w-]+) (>=) ([\d.]+)$", "\n".join(options), re.MULTILINE
    ):
        bounds[name] = version
    lines = (ROOT / "tools" / "oldest.txt").read_text(encoding="utf-8").splitlines()
    pins = dict(line.split("==") for line in lines if not line.startswith("#"))
    assert pins.keys() == bounds.keys()
    for name, bound in bounds.items():
        assert f"{pins[name]}.".startswith(f"{bound}."), f"{name}: {pins[name]} for >= {bound}"
        assert not pins[name].removeprefix(bound).strip(".0"), "the first release of the bound"


def test_pyproject_holds_the_build_system_alone():
    tables = re.findall(r"^\[(.+)\]$", (ROOT / "pyproject.toml").read_text(), flags=re.MULTILINE)
    assert tables == ["build-system"]


def test_ci_runs_the_test_command_of_the_readme_and_what_is_run_by_name():
    command = "python -m pip install tox && python -m tox"
    last_line = (ROOT / ".ci" / "run").read_text().splitlines()[-1]
    assert last_line == f"{command} && python -m tox -e proofs,docs,frameworks"
    assert all(f"testenv:{name}" in SETUP for name in ("proofs", "docs", "frameworks"))
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
    assert f"\n{command}\n" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_package_points_at_no_file_that_a_wheel_does_not_contain():
    outside = re.compile(r"\b(tests|tools|examples|docs|comparison)/\w|python -m (tests|tools)\b")
    for path in PACKAGE.rglob("*.py"):
        found = outside.search(path.read_text(encoding="utf-8"))
        assert not found, f"{path.relative_to(PACKAGE)} points at {found[0]}"


def test_import_loads_nothing_until_it_is_used():
    loaded = python("import sys, cinc_ref; print(*sys.modules)").split()
    heavy = {
        "numpy",
        "scipy",
        "numba",
        "threadpoolctl",
        "autograd",
        "matplotlib",
        "sklearn",
        "typer",
        "hypothesis",
    }
    assert not heavy & set(loaded)


def test_the_operation_loads_no_optional_package():
    loaded = python("import sys, cinc_ref; cinc_ref.conv_inverse; print(*sys.modules)").split()
    assert not {"matplotlib", "sklearn", "typer", "rich", "hypothesis"} & set(loaded)


def test_every_public_name_exists_and_is_listed():
    for name in cinc_ref.__all__:
        assert getattr(cinc_ref, name) is not None
    assert set(cinc_ref.__all__) <= set(dir(cinc_ref))
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = cinc_ref.no_such_name


@pytest.mark.parametrize("name", ["cli", "data", "plots", "prove"])
def test_missing_extra_names_the_pip_install_that_brings_it(name):
    assert name in SETUP["options.extras_require"]
    with pytest.raises(MissingExtraError) as raised, extra(name):
        import_module("no_such_package.inner")
    assert str(raised.value) == (
        f'no_such_package is not installed; pip install ".[{name}]" in the checkout'
    )


@pytest.mark.parametrize(
    ("missing", "module", "name"),
    [("typer", "cli", "cli"), ("rich", "cli", "cli"), ("matplotlib", "plots", "plots")],
)
def test_a_module_whose_extra_is_missing_says_so(missing, module, name):
    printed = python(
        f"""
import sys
sys.modules["{missing}"] = None  # importing it raises ModuleNotFoundError
from cinc_ref.errors import MissingExtraError
from tests.support.checkout import PACKAGE, ROOT
try:
    import cinc_ref.{module}
except MissingExtraError as error:
    print(error)
"""
    )
    assert printed == f'{missing} is not installed; pip install ".[{name}]" in the checkout'


def test_prove_without_z3_says_so():
    printed = python(
        """
import sys
sys.modules["z3"] = None
from cinc_ref import theory
from cinc_ref.errors import MissingExtraError
from tests.support.checkout import PACKAGE, ROOT
try:
    theory.prove()
except MissingExtraError as error:
    print(error)
"""
    )
    assert printed == 'z3 is not installed; pip install ".[prove]" in the checkout'


def test_digits_without_scikit_learn_says_so():
    printed = python(
        """
import sys
sys.modules["sklearn"] = None
from cinc_ref.data import digits
from cinc_ref.errors import MissingExtraError
from tests.support.checkout import PACKAGE, ROOT
try:
    digits()
except MissingExtraError as error:
    print(error)
"""
    )
    assert printed == 'sklearn is not installed; pip install ".[data]" in the checkout'
