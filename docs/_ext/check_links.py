"""Check that links inside a built site lead somewhere: `python docs/_ext/check_links.py DIR`."""

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

__all__ = ["broken_links"]


class Page(HTMLParser):
    """A page with its links and the names of its places."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.anchors: set[str] = {"", "top"}
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Collect the addresses and the identifiers of an element."""
        for name, value in attrs:
            if name in ("href", "src") and value and tag != "base":
                self.links.append(value)
            elif name == "id" or (name == "name" and tag == "a"):
                self.anchors.add(value or "")


def broken_links(folder: Path) -> list[str]:
    """Return "page: link" for each link to a file or place of the site that does not exist.

    Places are not asked for in the pages of source code, whose links back Sphinx makes by another
    name where a function is documented in the package above, nor where they are the state of a
    page, as "#size=8x8" is.
    """
    pages = {path.resolve(): Page(path) for path in sorted(folder.rglob("*.html"))}
    broken = []
    for path, page in pages.items():
        top = path.relative_to(folder.resolve()).parts[0]
        if top == "_static":  # templates of the theme
            continue
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            target = target / "index.html" if target.is_dir() else target
            place = unquote(parts.fragment)
            asked = target in pages and top != "_modules" and "=" not in place
            if not target.exists() or (asked and place not in pages[target].anchors):
                broken.append(f"{path.relative_to(folder.resolve())}: {link}")
    return sorted(set(broken))


if __name__ == "__main__":
    problems = broken_links(Path(sys.argv[1]))
    print("\n".join(problems) or "every internal link leads somewhere")
    sys.exit(bool(problems))
