# The names of the package; `cinc_ref._lazy` reads them at run time.

from . import enclosures as enclosures
from . import exact as exact
from . import trust as trust
from .certificates import check_certificate as check_certificate
from .conditioning import Stability as Stability
from .conditioning import condition_number as condition_number
from .conditioning import stability as stability
from .evidence import Counterexample as Counterexample
from .evidence import Evidence as Evidence
from .evidence import load_counterexample as load_counterexample
from .explanation import explain as explain
from .general_convolution import Convolution as Convolution
from .invertibility import exact_determinant as exact_determinant
from .invertibility import is_invertible as is_invertible
from .invertibility import null_image as null_image
from .matrix import convolution_matrix as convolution_matrix
from .padding import padded_matrix as padded_matrix
from .pixel_order import causal_order as causal_order
from .proofs import prove as prove
from .refutation import refute as refute
from .substitution import exact_conv as exact_conv
from .substitution import exact_inverse as exact_inverse
from .systems import parameter_counts as parameter_counts
from .verification import verify as verify
