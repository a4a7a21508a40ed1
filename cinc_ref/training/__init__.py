"""Training of flows on integer images: loss, optimizers, runs and checkpoints."""

from cinc_ref.training.checkpoint import load, save
from cinc_ref.training.fit import train
from cinc_ref.training.state import TrainingResult

__all__ = ["TrainingResult", "load", "save", "train"]
