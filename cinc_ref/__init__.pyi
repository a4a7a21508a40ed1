# The names of the package; `_lazy` reads them at run time.

from . import bench as bench
from . import bijections as bijections
from . import cli as cli
from . import comparison as comparison
from . import compilation as compilation
from . import convolution as convolution
from . import data as data
from . import demo as demo
from . import errors as errors
from . import evaluation as evaluation
from . import flows as flows
from . import geometry as geometry
from . import interop as interop
from . import kernels as kernels
from . import plots as plots
from . import primitives as primitives
from . import reference as reference
from . import sampling as sampling
from . import testing as testing
from . import theory as theory
from . import timing as timing
from . import training as training
from .compilation import warm_up as warm_up
from .convolution import conv as conv
from .convolution import conv_inverse as conv_inverse
from .convolution import conv_inverse_vjp as conv_inverse_vjp
from .convolution import conv_vjp as conv_vjp
from .convolution import enclose as enclose
from .convolution import log_abs_det as log_abs_det
from .evaluation import evaluate as evaluate
from .flows.interpolation import interpolate as interpolate
from .theory.matrix import convolution_matrix as convolution_matrix
from .training import load as load
from .training import save as save
from .training import train as train

__version__: str
