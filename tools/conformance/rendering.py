"""TABLE.md and the drafts of reports, made of the stored results and of the descriptions in `libraries/`."""

import json
from collections import Counter
from typing import Any

from tools.conformance.catalogue import NAMES, RESULTS, Finding, Library, library

__all__ = ["documents", "report_name", "results"]

COLUMNS = ("passing", "wrong", "fragile", "by design", "check", "not checked", "open")
"""The verdicts on layers, in the order of the columns of the table."""

SEVERITIES = ("wrong", "fragile", "by design", "check")
"""The severities of judged findings, in the order of the page."""

HEAD = """# What the check finds in other flow libraries

`cinc_ref.testing.check` was run on every public layer of these libraries, at the releases given.
`python -m tools.conformance` makes the environments, checks the layers, runs the lines below, and writes
this page; CONTRIBUTING.md says how. A library that is not wrong anywhere in this table may still be wrong
elsewhere, and a finding says nothing about the rest of a library.

A layer is *passing* if every property that could be tried holds. *Wrong* is a wrong result, *fragile* one
that is wrong at the edges (dtypes, NaN, memory), *by design* a difference that its authors intend. *Check* is
a mistake or a doubtful verdict of the check itself, *not checked* a map to a space of another dimension.
{open}The table counts layers with their arguments, each by the worst of its findings; some findings lie outside
the layers that are counted.

"""

OPEN = """*Open* are layers of which the check complains, or that cannot be called in this way, where nobody has judged yet
whether the layer, the call or the check is at fault: no claim is made about them.
"""

GREETING = """Thank you for {title}. While testing the layers of several flow libraries against numerical Jacobians
I came across the following; I hope that the report is useful.
"""


def results() -> dict[str, dict[str, Any]]:
    """Return the stored results by the names of the libraries."""
    paths = {name: RESULTS / f"{name}.json" for name in NAMES}
    stored = {name: json.loads(path.read_text()) for name, path in paths.items() if path.exists()}
    return {name: result for name, result in stored.items() if "public" in result}  # complete ones


def report_name(name: str, finding: Finding) -> str:
    """Return the name of the file of a report."""
    return f"reports/{name}-{finding.subject}.md"


def documents() -> dict[str, str]:
    """Return the contents of TABLE.md and of all reports, by their names in the directory of results."""
    stored = results()
    pages = {"TABLE.md": _table(stored)}
    for name, result in stored.items():
        described = library(name)
        for finding in described.findings:
            if finding.severity == "wrong":
                pages[report_name(name, finding)] = _report(described, result, finding)
    return pages


def _table(stored):
    columns = [
        c for c in COLUMNS if any(v["verdict"] == c for r in stored.values() for v in r["layers"])
    ]
    lines = [
        f"| library | version | layers | {' | '.join(columns)} | seconds |",
        "|---|---|" + "---|" * (len(columns) + 2),
    ]
    total: Counter[str] = Counter()
    for name, result in stored.items():
        counts = Counter(layer["verdict"] for layer in result["layers"])
        total += counts
        cells = [str(counts[column]) for column in columns]
        lines.append(
            f"| [{library(name).title}](#{name}) | {result['version']} | {len(result['layers'])} | "
            f"{' | '.join(cells)} | {result['seconds']:.0f} |"
        )
    seconds = sum(result["seconds"] for result in stored.values())
    cells = [str(total[column]) for column in columns]
    lines.append(f"| all | | {total.total()} | {' | '.join(cells)} | {seconds:.0f} |")
    sections = [_section(name, library(name), result) for name, result in stored.items()]
    head = HEAD.format(open=OPEN if "open" in columns else "")
    return head + "\n".join(lines) + "\n\n" + "\n".join(sections)


def _section(name, described, result):
    classes = {layer["class"] for layer in result["layers"]}
    lines = [f'<a id="{name}"></a>', "", f"## {described.title} {result['version']}", ""]
    lines += [
        f"{len(result['layers'])} layers of {len(classes)} classes, Python {result['python']}, "
        f"pins in `tools/conformance/pins/requirements-{name}.txt`. Calls: {described.wrapping}.",
        "",
    ]
    for severity in SEVERITIES:
        for finding in described.findings:
            if finding.severity == severity:
                lines += _finding(name, result, finding)
    undecided = [layer for layer in result["layers"] if layer["unjudged"]]
    if undecided:
        lines += ["<details><summary>Open: not judged yet</summary>", ""]
        lines += [f"- `{layer['make']}`: {_complaint(layer)}" for layer in undecided]
        lines += ["", "</details>", ""]
    if described.left_out:
        lines += ["<details><summary>Not checked, and why</summary>", ""]
        lines += [f"- `{cls}`: {reason}" for cls, reason in sorted(described.left_out.items())]
        lines += ["", "</details>", ""]
    return "\n".join(lines)


def _complaint(layer):
    found = [f["diagnosis"] for f in layer["findings"] if f["cause"] in layer["unjudged"]]
    return "; ".join([*found, layer["error"]] if "error" in layer else found)


def _layers_with(result, finding):
    return [
        layer
        for layer in result["layers"]
        if finding.subject in {found.get("judgement") for found in [layer, *layer["findings"]]}
    ]


def _finding(name, result, finding):
    layers = _layers_with(result, finding)
    if not layers and not finding.lines:
        return []
    lines = [f"**{finding.severity}:** {finding.title}.", ""]
    for layer in layers[:4]:
        words = [f["diagnosis"] for f in layer["findings"] if f.get("judgement") == finding.subject]
        lines.append(f"- `{layer['make']}`: {[*words, layer.get('error')][0]}")
    if len(layers) > 4:
        lines.append(f"- and {len(layers) - 4} more")
    if layers:
        lines.append("")
    if finding.lines:
        lines += ["```python", finding.lines.strip(), "```", "", _figures(result, finding), ""]
    if finding.severity == "wrong":
        lines += [f"[Draft of a report]({report_name(name, finding)})", ""]
    return lines


def _figures(result, finding):
    run = next(run for run in result["findings"] if run["subject"] == finding.subject)
    return (
        f"`got` is {_short(run['got'])}, `expected` is {_short(run['expected'])}; "
        f"independently, by {finding.confirmation}: {_short(run['confirmed'])}."
    )


def _short(value):
    """Return a number to eight digits, text, or the beginning of an array."""
    if isinstance(value, float):
        return f"{value:.8g}"
    if isinstance(value, list) and value and isinstance(value[0], list):
        return "an array that begins " + _short(_flat(value)[:6])
    if isinstance(value, list):
        return "(" + ", ".join(_short(v) for v in value) + ")"
    if not isinstance(value, str):
        return str(value)
    fence = "``" if "`" in value else "`"
    return f"{fence}{value}{fence}"


def _flat(value):
    return [leaf for part in value for leaf in _flat(part)] if isinstance(value, list) else [value]


def _report(described: Library, result, finding):
    run = next(run for run in result["findings"] if run["subject"] == finding.subject)
    versions = result["environment"]["versions"]
    parts = [described.distribution.lower(), "torch", "jax", "numpy"]
    installed = ", ".join(
        f"{part} {versions[part]}" for part in dict.fromkeys(parts) if part in versions
    )
    title = finding.title[0].upper() + finding.title[1:]
    return "\n".join(
        [
            f"# {title}",
            "",
            GREETING.format(title=described.title),
            f"**Expected.** {finding.expected}",
            "",
            "**To reproduce**",
            "",
            "```python",
            finding.lines.strip(),
            "print(got, expected)",
            "```",
            "",
            f"**Returned.** `got` is {_short(run['got'])}; `expected` is {_short(run['expected'])}. "
            f"Independently, by {finding.confirmation}: {_short(run['confirmed'])}.",
            "",
            f"**Versions.** {installed}, Python {result['python']}, on a CPU.",
            "",
            f"**A suggestion.** {finding.suggestion}",
            "",
        ]
    )
