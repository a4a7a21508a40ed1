"""Training a flow on integer images: loss, optimizer, loop, checkpoints."""

from cinc_ref.training.checkpoint import load, save
from cinc_ref.training.loop import TrainingResult, train

__all__ = ["TrainingResult", "load", "save", "train"]
