"""The built site in headless Chromium: no page asks another host, and no page reports an error."""

import shutil

import pytest

from tests.support.checkout import ROOT

sync_api = pytest.importorskip(
    "playwright.sync_api", reason="opening the pages needs the package playwright"
)

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
if CHROMIUM is None:
    pytest.skip("opening the pages needs Chromium", allow_module_level=True)

SITE = ROOT / "docs" / "_build" / "html"
if not (SITE / "index.html").exists():
    pytest.skip("there is no built site: python -m tox -e docs", allow_module_level=True)

LOCAL = ("file:", "data:", "blob:")


@pytest.fixture(scope="module")
def page():
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser.new_page(viewport={"width": 1200, "height": 900})
        browser.close()


def pages():
    paths = sorted(path.relative_to(SITE) for path in SITE.rglob("*.html"))
    return [path for path in paths if path.parts[0] not in ("_static", "_modules")]


def test_no_page_asks_another_host_or_reports_an_error(page):
    asked, reported = [], []
    page.on("request", lambda request: asked.append((page.url, request.url)))
    page.on("pageerror", lambda error: reported.append((page.url, str(error))))
    page.on(
        "console",
        lambda message: (
            reported.append((page.url, message.text))
            if message.type in ("error", "warning")
            else None
        ),
    )
    for path in pages():
        page.goto((SITE / path).as_uri(), wait_until="load")
    assert len(asked) > len(pages()) > 100
    assert [pair for pair in asked if not pair[1].startswith(LOCAL)] == []
    assert reported == []


WIDE = """() => [...document.querySelectorAll('main :is(p, li, dt, h1, h2, h3)')]
  .filter((node) => !node.closest('table, pre, svg, .drawing, details, .hidden-text'))
  .filter((node) => node.getClientRects().length && node.scrollWidth > node.clientWidth + 1)
  .map((node) => node.textContent.slice(0, 80))"""


def test_words_keep_to_the_width_of_a_phone(page):
    page.set_viewport_size({"width": 400, "height": 900})
    wide = {}
    for path in pages():
        page.goto((SITE / path).as_uri(), wait_until="load")
        wide[path.as_posix()] = page.evaluate(WIDE)
    assert {name: words for name, words in wide.items() if words} == {}
