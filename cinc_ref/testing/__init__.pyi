# The names of the package; `cinc_ref._lazy` reads them at run time.

from . import strategies as strategies
from .base import Check as Check
from .bijection import check_bijection as check_bijection
from .density import check_density as check_density
from .failure import CheckFailure as CheckFailure
from .failure import CheckSkipped as CheckSkipped
from .failure import NotChecked as NotChecked
from .findings import Finding as Finding
from .findings import LayerReport as LayerReport
from .implementation import Implementation as Implementation
from .layer_check import check as check
from .problem import Problem as Problem
from .report import Report as Report
from .report import run_checks as run_checks
from .suite import checks as checks
from .suite import parametrize_with_checks as parametrize_with_checks
