"""What a run tells while it goes on."""

from contextlib import contextmanager

from tqdm import tqdm


@contextmanager
def reporting(progress):
    """The function that takes the reports, for the option `progress` of `train`."""
    if progress is True:
        layout = "{percentage:3.0f}%|{bar}| {elapsed}<{remaining}{postfix}"
        with tqdm(total=1.0, bar_format=layout, dynamic_ncols=True) as bar:
            yield lambda report: _show(bar, report)
    else:
        yield progress or (lambda report: None)


def _show(bar, report):
    """Move a bar over the run's budget, which is 1."""
    bar.set_postfix_str(
        f"step {report['step']}, train {report['train']:.3f}, "
        f"validation {report['validation']:.3f} bits/dim, "
        f"{report['images_per_second']:.0f} images/s",
        refresh=False,
    )
    bar.update(report["fraction"] - bar.n)


class Pace:
    """Seconds a step takes: an exponential average over about 20 steps."""

    def __init__(self):
        self.seconds = None

    def add(self, seconds):
        """Take one more step into account."""
        former = seconds if self.seconds is None else self.seconds
        self.seconds = former + 0.05 * (seconds - former)
