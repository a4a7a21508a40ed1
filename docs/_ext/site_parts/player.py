"""Matplotlib's player of animations, without what it asks of other hosts."""

import re
from html import escape

__all__ = ["local_player"]

FOREIGN_SHEET = re.compile(r'<link rel="stylesheet"\s+href="https?:[^"]*">\s*')
"""The style sheet of icons that the player loads from another host; the theme brings the icons."""


def local_player(html: str, description: str) -> str:
    """Return a player of animations that needs no other host, its image with a text."""
    image = f'<img alt="{escape(description)}" id="_anim_img'
    return FOREIGN_SHEET.sub("", html).replace('<img id="_anim_img', image)
