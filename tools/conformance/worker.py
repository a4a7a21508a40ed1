"""The process that checks one library, in the library's environment: `python -m tools.conformance.worker NAME`."""

import argparse
import hashlib
import importlib
import inspect
import json
import pkgutil
import platform
import re
import signal
import sys
import time
import warnings
from importlib import metadata

import numpy as np

from cinc_ref.testing import check
from tools.conformance.catalogue import PINS, RESULTS, library
from tools.conformance.confirmation import numerical_jacobian, numerical_log_det

__all__ = ["main"]

TIME_LIMIT = 120
"""The time of one layer, in seconds, after which its check is given up."""

DIFFERENCE = 1e-6
"""The relative difference below which `confirmed` is `expected`, of a central difference in float64."""


class OutOfTime(BaseException):
    """A layer took longer than the limit; `check` does not catch it, as it does exceptions."""


def _out_of_time(signum, frame):
    raise OutOfTime(f"it takes more than {TIME_LIMIT} s")


def main() -> None:
    """Check one library and write its JSON, after each layer."""
    parser = argparse.ArgumentParser(description="Check the layers of one library.")
    parser.add_argument("name")
    parser.add_argument(
        "--fresh", action="store_true", help="check again what has a result already"
    )
    parser.add_argument("--only", default="", help="a regular expression: print these layers")
    options = parser.parse_args()
    described = library(options.name)
    warnings.simplefilter("ignore")
    signal.signal(signal.SIGALRM, _out_of_time)
    if options.only:
        for layer in described.layers:
            if re.search(options.only, layer.make):
                print(_report(described, layer))
        return
    path = RESULTS / f"{options.name}.json"
    key = _key(options.name, described)
    known = {} if options.fresh else _known(path, key)
    result = {"name": options.name, "key": key, "layers": []}
    for layer in described.layers:
        line = known.pop(_identity(layer.make, layer.options), None) or _checked(described, layer)
        result["layers"].append(line)
        _write(path, result | {"layers": [*result["layers"], *known.values()]})  # if interrupted
    classes, unimported = public_classes(described)
    accounted = {layer.cls for layer in described.layers} | set(described.left_out)
    for line in result["layers"]:
        _judge(described, line)
    result |= {
        "version": metadata.version(described.distribution),
        "python": platform.python_version(),
        "environment": _environment(),
        "public": sorted(classes),
        "unimported": unimported,
        "missing": sorted(classes - accounted),
        "unknown": sorted(accounted - classes),
        "findings": [_reproduced(finding) for finding in described.findings if finding.lines],
        "seconds": round(sum(line["seconds"] for line in result["layers"]), 1),
    }
    _write(path, result)


def _write(path, result):
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n")


def _key(name, described):
    """Return a digest of what every layer depends on: the pins and the imports."""
    pins = (PINS / "base.txt").read_bytes() + (PINS / f"requirements-{name}.txt").read_bytes()
    return hashlib.sha256(pins + described.imports.encode()).hexdigest()[:16]


def _identity(make, options):
    return json.dumps([make, options], sort_keys=True)


def _known(path, key):
    """Return the layers that have a result of the same pins and imports."""
    if not path.exists():
        return {}
    stored = json.loads(path.read_text())
    if stored["key"] != key:
        return {}
    return {_identity(line["make"], line["options"]): line for line in stored["layers"]}


def public_classes(described):
    """Return the names of the public classes derived from the bases, and unimportable modules."""
    bases = tuple(
        getattr(importlib.import_module(module), name)
        for module, _, name in (dotted.rpartition(".") for dotted in described.bases)
    )
    unimported = {}
    for root in described.roots:
        package = importlib.import_module(root)
        for found in pkgutil.walk_packages(getattr(package, "__path__", []), root + "."):
            if re.search(r"(\b|_)(tests?|examples?|conftest)\b", found.name):
                continue
            try:
                importlib.import_module(found.name)
            except Exception as error:
                unimported[found.name] = type(error).__name__
    inside = tuple(root + "." for root in described.roots)
    classes = set()
    for path, module in list(sys.modules.items()):
        if not (path + ".").startswith(inside):
            continue
        for thing in vars(module).values():
            if (
                inspect.isclass(thing)
                and issubclass(thing, bases)
                and not thing.__name__.startswith("_")
                and (thing.__module__ + ".").startswith(inside)
            ):
                classes.add(thing.__name__)
    return classes, unimported


def _namespace(described):
    rng = np.random.default_rng(0)
    namespace = {
        "normal": lambda *shape: rng.normal(size=shape),
        "uniform": lambda *shape: rng.uniform(0.05, 0.95, size=shape),
        "simplex": lambda *shape: rng.dirichlet(np.full(shape[1], 3.0), size=shape[0]),
    }
    exec(described.imports, namespace)
    return namespace


def _report(described, layer):
    """Make a layer and check it."""
    namespace = _namespace(described)
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.manual_seed(0)
    np.random.seed(0)
    options = {
        name: eval(value, namespace) if isinstance(value, str) else value
        for name, value in layer.options.items()
    }
    obj = eval(layer.make, namespace)
    signal.alarm(TIME_LIMIT)
    try:
        shape = None if "x" in options else layer.shape
        return check(obj, shape=shape, name=layer.cls, **options)
    finally:
        signal.alarm(0)


def _checked(described, layer):
    """Check a layer; return its line of the JSON."""
    started = time.perf_counter()
    line = {"class": layer.cls, "make": layer.make, "options": layer.options, "findings": []}
    try:
        report = _report(described, layer)
    except (Exception, OutOfTime) as error:
        line["error"] = f"{type(error).__name__}: {error}"[:200]
    else:
        line |= {
            "adapter": report.adapter,
            "shape": list(report.shape),
            "dtype": report.dtype,
            "findings": [finding.to_dict() for finding in report.findings],
            "properties": len(report.passed),
            "skipped": report.skipped,
            "notes": list(report.notes),
        }
    line["seconds"] = round(time.perf_counter() - started, 2)
    print(f"{line['seconds']:6.1f} s  {layer.make}", flush=True)
    return line


def _judge(described, line):
    """Enter in a line which findings of the library explain those of `check`, and the verdict."""
    severities, line["unjudged"] = [], []
    for found in line["findings"]:
        known = next(
            (f for f in described.findings if f.matches(line["class"], found["cause"])), None
        )
        found.pop("judgement", None)
        if known is not None:
            found["judgement"] = known.subject
            severities.append(known.severity)
        elif found["severity"] != "convention":
            line["unjudged"].append(found["cause"])
    if "error" in line:
        known = next((f for f in described.findings if f.matches(line["class"], "error")), None)
        if known is None:
            line["unjudged"].append("error")
        else:
            line["judgement"] = known.subject
            severities.append(known.severity)
    order = ("wrong", "fragile", "check", "by design")
    verdict = next((severity for severity in order if severity in severities), "passing")
    if verdict == "passing" and any(found["cause"] == "image shape" for found in line["findings"]):
        verdict = "not checked"  # a map to a space of another dimension
    line["verdict"] = "open" if line["unjudged"] and verdict != "wrong" else verdict


def _plain(value):
    """Turn a result of a reproduction into something that JSON and NumPy take."""
    if isinstance(value, str | bool | int | float):
        return value
    if hasattr(value, "detach"):
        value = value.detach()
    value = np.asarray(value)
    return value.tolist() if value.ndim else value.item()


def _equal(one, other, bound):
    if isinstance(one, str) or isinstance(other, str):
        return one == other
    return bool(np.allclose(one, other, rtol=bound, atol=bound))


def _reproduced(finding):
    """Run the lines of a finding, and its confirmation."""
    namespace = {}
    exec(finding.lines, namespace)
    got, expected = (_plain(namespace[name]) for name in ("got", "expected"))
    namespace |= {"numerical_log_det": numerical_log_det, "numerical_jacobian": numerical_jacobian}
    exec(finding.confirm, namespace)
    confirmed = _plain(namespace["confirmed"])
    return {
        "subject": finding.subject,
        "severity": finding.severity,
        "got": got,
        "expected": expected,
        "confirmed": confirmed,
        "shown": not _equal(got, expected, DIFFERENCE),
        "agrees": _equal(confirmed, expected, DIFFERENCE),
    }


def _environment():
    """Return versions and requirements of all that is installed."""
    versions, requires = {}, {}
    for distribution in metadata.distributions():
        name = _canonical(distribution.metadata["Name"])
        if name in versions:  # an earlier directory of the path has it
            continue
        versions[name] = distribution.version
        needed = []
        for requirement in distribution.requires or ():
            words, _, marker = requirement.partition(";")
            if _applies(marker):
                needed.append(_canonical(re.match(r"[\w.\-]+", words.strip()).group()))
        requires[name] = sorted(set(needed))
    return {"versions": dict(sorted(versions.items())), "requires": dict(sorted(requires.items()))}


def _applies(marker):
    """Return whether a marker of a requirement holds here; extras are not asked for."""
    from pip._vendor.packaging.markers import Marker  # pip is in every environment

    return not marker.strip() or Marker(marker).evaluate({"extra": ""})


def _canonical(name):
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":
    main()
