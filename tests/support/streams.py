"""A small model, and runs of `stream_samples` that are stopped after some chunks."""

import time

import numpy as np
import pytest

import cinc_ref as cr
from cinc_ref import streaming
from cinc_ref.sampling import CHUNK
from cinc_ref.streaming import draw_levels, stream_samples

COUNT = 2 * CHUNK + 300
"""Two whole chunks and a part of one."""


def small_model():
    """Return a flow of images 1x2x2 with its parameters."""
    flow = cr.flows.build("cinc", "affine", (1, 2, 2), levels=1, depth=1, width=2, bins=17)
    images = np.random.default_rng(0).uniform(-0.5, 0.5, (8, 1, 2, 2)).astype(np.float32)
    return flow, flow.init(0, images)


def unfinished(path):
    """Return the folder that an output has until it is complete."""
    return path.with_name(path.name + ".unfinished")


def chunks_in(path):
    """Return how many chunks of an output are recorded."""
    try:
        return (unfinished(path) / "chunks.txt").read_text().count("\n")
    except OSError:
        return 0


def stop_after(monkeypatch, count, error=KeyboardInterrupt):
    """Let drawing end after so many chunks, with an error."""
    drawn = []

    def levels(chunk, model):
        if len(drawn) == count + 1:  # the first loads what is compiled
            raise error
        drawn.append(chunk)
        return real(chunk, model)

    real = streaming.draw_levels
    monkeypatch.setattr(streaming, "draw_levels", levels)


def interrupt(monkeypatch, path, model, count=1):
    """Stop the run of `COUNT` images by Ctrl-C, after so many chunks."""
    with monkeypatch.context() as patch:
        stop_after(patch, count)
        with pytest.raises(KeyboardInterrupt):
            stream_samples(path, *model, COUNT)


def slow_levels(chunk, model):
    """Draw a chunk, after a pause in which its worker can be killed; workers import it."""
    time.sleep(0.05)
    return draw_levels(chunk, model)
