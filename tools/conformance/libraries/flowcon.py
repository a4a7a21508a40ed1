"""flowcon, https://pypi.org/project/flowcon, a fork of nflows."""

from tools.conformance.catalogue import Library
from tools.conformance.libraries import _nflows_family as family

__all__ = ["LIBRARY"]

LIBRARY = Library(
    title="flowcon",
    distribution="flowcon",
    version="0.0.4",
    imports=family.FORK_IMPORTS.format(root="flowcon"),
    roots=("flowcon.transforms",),
    bases=("flowcon.transforms.base.Transform",),
    layers=family.FORK_LAYERS,
    left_out=family.FORK_LEFT_OUT,
    findings=family.fork_findings("flowcon"),
    wrapping="forward(x, context) and inverse, which return pairs",
    unneeded=family.FORK_UNNEEDED,
)
