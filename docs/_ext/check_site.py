"""Check links, resources and images of a built site: `python docs/_ext/check_site.py DIR`."""

import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

__all__ = ["Page", "broken_links", "foreign_resources", "images_without_text", "pages_of"]

FOREIGN = re.compile(r"(https?:)?//")
"""The beginning of an address on another host."""

IN_STYLES = re.compile(r"""(?:url\(\s*["']?|@import\s+["'])([^"')\s]+)""")
"""An address that a style sheet loads."""

LOADED_LINKS = {"stylesheet", "icon", "preload", "prefetch", "modulepreload", "preconnect"}
"""Kinds of `link` elements whose addresses a browser asks for when it shows the page."""


class Page(HTMLParser):
    """A page with its links, the names of its places, what it loads, and its images."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.anchors: set[str] = {"", "top"}
        self.resources: list[str] = []
        self.images_without_text: list[str] = []
        self._in_style = False
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Collect the addresses and the identifiers of an element."""
        for name, value in attrs:
            if name in ("href", "src") and value and tag != "base":
                self.links.append(value)
            elif name == "id" or (name == "name" and tag == "a"):
                self.anchors.add(value or "")
        self._in_style = tag == "style"
        values = {name: value or "" for name, value in attrs}
        self.resources += _loaded(tag, values)
        if tag == "img" and not values.get("alt", "").strip():
            self.images_without_text.append(values.get("src") or values.get("id", ""))

    def handle_data(self, data: str) -> None:
        """Collect the addresses in a style sheet that the page holds."""
        if self._in_style:
            self.resources += IN_STYLES.findall(data)

    def handle_endtag(self, tag: str) -> None:
        """End a style sheet."""
        self._in_style = False


def _loaded(tag: str, values: dict[str, str]) -> list[str]:
    """Return the addresses that a browser asks for on account of an element."""
    names = ["src", "poster", *(["data"] if tag == "object" else [])]
    if tag == "image" or (tag == "link" and LOADED_LINKS & set(values.get("rel", "").split())):
        names.append("href")
    sources = [part.split()[0] for part in values.get("srcset", "").split(",") if part.strip()]
    in_style = IN_STYLES.findall(values.get("style", ""))
    return [*(values[name] for name in names if name in values), *sources, *in_style]


def pages_of(folder: Path) -> dict[str, Page]:
    """Return the pages of a site by their addresses in it, without templates of the theme."""
    paths = sorted(folder.rglob("*.html"))
    names = {path.relative_to(folder).as_posix(): path for path in paths}
    return {name: Page(path) for name, path in names.items() if not name.startswith("_static/")}


def broken_links(folder: Path, pages: dict[str, Page]) -> list[str]:
    """Return "page: link" for each link to a file or place of the site that does not exist.

    Places are not asked for in the pages of source code, whose links back Sphinx makes by another
    name where a function is documented in the package above, nor where they are the state of a
    page, as "#size=8x8" is.
    """
    by_path = {(folder / name).resolve(): page for name, page in pages.items()}
    broken = []
    for path, page in by_path.items():
        top = path.relative_to(folder.resolve()).parts[0]
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            target = target / "index.html" if target.is_dir() else target
            place = unquote(parts.fragment)
            asked = target in by_path and top != "_modules" and "=" not in place
            if not target.exists() or (asked and place not in by_path[target].anchors):
                broken.append(f"{path.relative_to(folder.resolve())}: {link}")
    return sorted(set(broken))


def foreign_resources(folder: Path, pages: dict[str, Page]) -> list[str]:
    """Return "file: address" for each resource that a page or style sheet loads from another host.

    What a script asks for is seen in a browser alone.
    """
    loaded = {name: page.resources for name, page in pages.items()}
    for path in folder.rglob("*.css"):
        sheet = path.read_text(encoding="utf-8")
        loaded[path.relative_to(folder).as_posix()] = IN_STYLES.findall(sheet)
    return sorted(
        f"{name}: {address}"
        for name, addresses in loaded.items()
        for address in set(addresses)
        if FOREIGN.match(address)
    )


def images_without_text(pages: dict[str, Page]) -> list[str]:
    """Return "page: image" for each image without a text for those who cannot see it."""
    return [
        f"{name}: {image}" for name, page in pages.items() for image in page.images_without_text
    ]


if __name__ == "__main__":
    site = Path(sys.argv[1])
    pages = pages_of(site)
    problems = {
        "leads nowhere": broken_links(site, pages),
        "is loaded from another host": foreign_resources(site, pages),
        "is an image without a text": images_without_text(pages),
    }
    lines = [f"{place} {fault}" for fault, places in problems.items() for place in places]
    print("\n".join(lines) or "links lead somewhere, resources are local, images have texts")
    sys.exit(bool(lines))
