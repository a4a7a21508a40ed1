"""A `LayerReport` as text, Markdown, HTML, JUnit XML, an SVG badge and lines of a test."""

from html import escape
from typing import Any
from xml.sax.saxutils import quoteattr

__all__ = ["badge", "html", "junit", "markdown", "short", "test", "text"]

MAX_REPR = 500
"""The largest number of characters of a repr, so that lists of reports stay readable."""

COLORS = {"wrong": "#c0392b", "fragile": "#d68910", "convention": "#2e86c1", "passing": "#1e8449"}
"""The colours of badges and tables by the worst severity."""

CHARACTER_WIDTH = 6.6
"""The mean width of a character of 11-pixel Verdana, in pixels."""


def _verdict(report):
    """Return the outcome in a few words, such as "2 wrong, 1 convention"."""
    counts = {}
    for finding in report.findings:
        counts[finding.severity] = counts.get(finding.severity, 0) + 1
    if not counts:
        return "passing"
    words = ", ".join(f"{count} {severity}" for severity, count in counts.items())
    return f"passing ({words})" if report.ok else words


def _head(report):
    batch = f"{report.dtype} {report.shape}"
    return f"{report.name} (tested as: {report.adapter}; x {batch}): {_verdict(report)}"


def _tally(report):
    return f"{len(report.passed)} properties hold, {len(report.skipped)} not checked"


def _reasons(report):
    """Return the names of properties that were not checked, by reason."""
    reasons = {}
    for name, reason in report.skipped.items():
        reasons.setdefault(reason, []).append(name)
    return reasons


def short(report: Any) -> str:
    """Return the outcome in one line of at most 500 characters."""
    causes = ", ".join(finding.cause for finding in report.findings)
    line = f"LayerReport({report.name}, {report.adapter}: {_verdict(report)}"
    line += f"; {causes})" if causes else ")"
    return line if len(line) <= MAX_REPR else line[: MAX_REPR - 4] + "...)"


def text(report: Any) -> str:
    """Return the report as text: findings, the worst first, then what was not checked and why."""
    blocks = [f"{_head(report)}; {_tally(report)}"]
    for finding in report.findings:
        times = f" (seen {finding.occurrences} times)" if finding.occurrences > 1 else ""
        lines = [f"{finding.severity}: {finding.diagnosis}{times}"]
        lines += [
            f"  {label:<9}{value}" for label, value in finding.facts.items() if value is not None
        ]
        lines.append(f"  {'breaks':<9}{', '.join(finding.checks)}")
        blocks.append("\n".join(lines))
    notes = [f"note: {note}" for note in report.notes]
    notes += [f"not checked, {why}: {', '.join(names)}" for why, names in _reasons(report).items()]
    return "\n\n".join(blocks + (["\n".join(notes)] if notes else []))


def markdown(report: Any) -> str:
    """Return the report as Markdown."""
    lines = [f"### {report.name}: {_verdict(report)}", ""]
    lines += [
        f"Tested as: {report.adapter}, x {report.dtype} {report.shape}; {_tally(report)}.",
        "",
    ]
    if report.findings:
        lines += ["| severity | diagnosis | expected | got |", "|---|---|---|---|"]
        for finding in report.findings:
            cells = [finding.severity, finding.diagnosis]
            cells += [str(finding.facts.get(label, "")) for label in ("expected", "got")]
            lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
        lines.append("")
    lines += [f"- {note}" for note in report.notes]
    lines += [f"- not checked, {why}: {', '.join(n)}" for why, n in _reasons(report).items()]
    return "\n".join(lines).rstrip() + "\n"


def html(report: Any) -> str:
    """Return the report as an HTML fragment."""
    rows = "".join(
        f'<tr><td style="color:{COLORS[f.severity]}"><b>{f.severity}</b></td>'
        f"<td>{escape(f.diagnosis)}</td><td>{escape(str(f.facts.get('expected', '')))}</td>"
        f"<td>{escape(str(f.facts.get('got', '')))}</td></tr>"
        for f in report.findings
    )
    table = (
        "<table><thead><tr><th>severity</th><th>diagnosis</th><th>expected</th><th>got</th></tr>"
        f"</thead><tbody>{rows}</tbody></table>"
        if rows
        else ""
    )
    notes = [*report.notes]
    notes += [f"not checked, {why}: {', '.join(names)}" for why, names in _reasons(report).items()]
    items = "".join(f"<li>{escape(note)}</li>" for note in notes)
    below = f"<ul>{items}</ul>" if items else ""
    return f"<div><p>{escape(_head(report))}; {_tally(report)}</p>{table}{below}</div>"


def junit(report: Any) -> str:
    """Return the report as JUnit XML: findings are failures, conventions pass with a message."""
    cases = []
    for finding in report.findings:
        facts = "\n".join(f"{k}: {v}" for k, v in finding.facts.items() if v is not None)
        body = f"<system-out>{_xml(finding.diagnosis)}</system-out>"
        if finding.severity != "convention":
            body = f"<failure message={_attribute(finding.diagnosis)}>{_xml(facts)}</failure>"
        cases.append(_case(report, finding.cause, body))
    cases += [_case(report, name, "") for name in report.passed]
    cases += [
        _case(report, name, f"<skipped message={_attribute(reason)}/>")
        for name, reason in report.skipped.items()
    ]
    failures = sum(finding.severity != "convention" for finding in report.findings)
    head = (
        f'<testsuite name={_attribute(report.name)} tests="{len(cases)}" failures="{failures}" '
        f'errors="0" skipped="{len(report.skipped)}" time="{report.seconds:.3f}">'
    )
    return '<?xml version="1.0" encoding="utf-8"?>\n' + "\n".join([head, *cases, "</testsuite>\n"])


def _case(report, name, body):
    classname = _attribute(f"bijection.{report.name}")
    return f"<testcase classname={classname} name={_attribute(name)}>{body}</testcase>"


def _clean(words):
    """Remove characters that XML does not allow."""
    return "".join(c for c in str(words) if c in "\t\n" or c >= " ")


def _xml(words):
    return escape(_clean(words), quote=False)


def _attribute(words):
    return quoteattr(_clean(words))


def badge(report: Any) -> str:
    """Return a badge: a grey label, and the outcome in the colour of the worst severity."""
    left, right = "bijection", _verdict(report)
    worst = report.findings[0].severity if report.findings and not report.ok else "passing"
    widths = [int(CHARACTER_WIDTH * len(words)) + 14 for words in (left, right)]
    total = sum(widths)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{total}" height="20" role="img" '
        f'aria-label="{left}: {escape(right)}"><title>{left}: {escape(right)}</title>'
        f'<rect width="{widths[0]}" height="20" fill="#555"/>'
        f'<rect x="{widths[0]}" width="{widths[1]}" height="20" fill="{COLORS[worst]}"/>'
        '<g fill="#fff" text-anchor="middle" font-family="Verdana,sans-serif" font-size="11">'
        f'<text x="{widths[0] / 2}" y="14">{left}</text>'
        f'<text x="{widths[0] + widths[1] / 2}" y="14">{escape(right)}</text></g></svg>'
    )


def test(report: Any) -> str:
    """Return the lines of a test that fails for the same findings."""
    name = "".join(c if c.isalnum() else "_" for c in report.name.lower()).strip("_") or "layer"
    return "\n".join(
        [
            "from cinc_ref.testing import check",
            "",
            "",
            f"def test_{name}_is_a_bijection():",
            f"    layer = ...  # make {report.name} here",
            f"    report = check(layer, shape={report.shape[1:]})",
            "    assert report.ok, str(report)",
            "",
        ]
    )
