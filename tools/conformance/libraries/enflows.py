"""enflows, https://pypi.org/project/enflows, a fork of nflows."""

from tools.conformance.catalogue import Library
from tools.conformance.libraries import _nflows_family as family

__all__ = ["LIBRARY"]

LIBRARY = Library(
    title="enflows",
    distribution="enflows",
    version="0.0.1",
    imports=family.FORK_IMPORTS.format(root="enflows"),
    roots=("enflows.transforms",),
    bases=("enflows.transforms.base.Transform",),
    layers=family.FORK_LAYERS,
    left_out=family.FORK_LEFT_OUT,
    findings=family.fork_findings("enflows"),
    wrapping="forward(x, context) and inverse, which return pairs",
    unneeded=family.FORK_UNNEEDED,
)
