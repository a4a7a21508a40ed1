"""Documents of the top folder as pages of the site, their links led to other pages."""

import re
from collections.abc import Mapping
from pathlib import Path

from site_parts.drawings import convolution_and_matrix
from site_parts.paths import ROOT

__all__ = ["conformance_reports", "conformance_table", "document", "home", "parts"]

PAGES = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contribute.md",
    "CHANGELOG.md": "changelog.md",
    "SECURITY.md": "security.md",
    "conformance/TABLE.md": "conformance.md",
    "proofs/README.md": "proofs.md",
}
"""Documents of the repository that are pages of the site."""

LINK = re.compile(r"(?<!!)\[([^\]]*)\]\(([^)#\s]+)(#[^)]*)?\)")


def parts() -> dict[str, str]:
    """Return the documents without their headings, by file name."""
    return {
        "home.md": home(),
        "contributing.md": document("CONTRIBUTING.md"),
        "changelog.md": document("CHANGELOG.md"),
        "security.md": document("SECURITY.md"),
        "proofs.md": document("proofs/README.md"),
        "conformance.md": conformance_table(),
        "conformance-reports.md": conformance_reports(),
    }


def document(name: str, pages: Mapping[str, str] = PAGES) -> str:
    """Return a document without its heading, with links between pages of the site.

    A link to a file that is no page becomes its text.
    """
    text = (ROOT / name).read_text(encoding="utf-8").split("\n", 1)[1]
    folder = Path(name).parent

    def led(match):
        words, target, anchor = match.groups()
        if re.match(r"[a-z]+:", target):
            return match[0]
        path = _normal(folder / target)
        if path.startswith("docs/"):
            return f"[{words}](/{path.removeprefix('docs/')}{anchor or ''})"
        return f"[{words}](/{pages[path]})" if path in pages else words

    return LINK.sub(led, text)


def home() -> str:
    """Return the README as the first page, with its picture drawn in the colours of the page."""
    text = document("README.md")
    picture = re.compile(r"!\[[^\]]*\]\(docs/_static/convolution\.svg\)")
    return picture.sub(lambda _: convolution_and_matrix().inline(), text)


def _normal(path):
    """Return a path below the top folder without "..", with forward slashes."""
    return (ROOT / path).resolve().relative_to(ROOT.resolve()).as_posix()


def conformance_table() -> str:
    """Return the table of libraries, its anchors and links to reports as those of the site."""
    text = (ROOT / "conformance" / "TABLE.md").read_text(encoding="utf-8").split("\n", 1)[1]
    text = re.sub(r'<a id="(\w+)"></a>', r"(library-\1)=", text)
    text = re.sub(r"\]\(#(\w+)\)", r"](#library-\1)", text)
    return re.sub(r"\]\(reports/([\w.-]+)\.md\)", r"](#report-\1)", text)


def conformance_reports() -> str:
    """Return all drafts of reports on one page, a heading for each."""
    lines = []
    for path in sorted((ROOT / "conformance" / "reports").glob("*.md")):
        text = path.read_text(encoding="utf-8").strip()
        title, _, rest = text.removeprefix("# ").partition("\n")
        library = path.stem.split("-")[0]
        lines += [f"(report-{path.stem})=", f"## {library}: {title}", rest, ""]
    return "\n".join(lines)
