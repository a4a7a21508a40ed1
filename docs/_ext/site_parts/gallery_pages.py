"""The pages that sphinx-gallery makes: each image with a text, nothing from other hosts."""

import re
from typing import Any

from docutils import nodes

from site_parts.player import local_player

__all__ = ["setup"]

TITLE = re.compile(r'class="sphx-glr-thumbnail-title">([^<]*)<')


def complete(app: Any, doctree: nodes.document) -> None:
    """Give a text to the images that sphinx-gallery leaves without, and make players local.

    A thumbnail comes before the title of its example.
    """
    thumbnails: list[nodes.image] = []
    for node in doctree.findall(lambda node: isinstance(node, nodes.image | nodes.raw)):
        if isinstance(node, nodes.image):
            if not node.get("alt"):
                thumbnails.append(node)
        elif title := TITLE.search(node.astext()):
            for thumbnail in thumbnails:
                thumbnail["alt"] = f"A picture of the example: {title[1]}"
            thumbnails.clear()
        elif 'class="animation"' in node.astext():
            page = doctree.next_node(nodes.title)
            html = local_player(node.astext(), f"A frame of the animation: {page.astext()}")
            node.children = [nodes.Text(html)]


def setup(app: Any) -> dict[str, bool]:
    """Call `complete` for each page that is read."""
    app.connect("doctree-read", complete)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
