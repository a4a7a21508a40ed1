"""The Python of the README runs as it is written, each block on its own."""

import re
from importlib.util import find_spec
from pathlib import Path

import pytest

README = Path(__file__).parents[1] / "README.md"
BLOCKS = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
PLAIN = [block for block in BLOCKS if not block.startswith(">>>")]
"""Blocks without prompts; those with prompts are doctests."""


@pytest.mark.parametrize("block", PLAIN, ids=lambda block: block.split("def ")[-1].split("(")[0])
def test_a_block_needs_no_names_of_others(block):
    if "import torch" in block and find_spec("torch") is None:
        pytest.skip("torch is not installed")
    exec(compile(block, str(README), "exec"), {})


def test_blocks_with_prompts_import_what_they_use():
    """Doctests of one file share their names, so that a missing import would go unnoticed."""
    for block in set(BLOCKS) - set(PLAIN):
        source = re.sub(r"(?m)^(>>>|\.\.\.) ?", "", block)
        for module, name in (("numpy", "np"), ("cinc_ref", "cr")):
            used = re.search(rf"\b{name}\.", source)
            assert not used or f"import {module} as {name}\n" in source, source
