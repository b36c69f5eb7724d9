"""libsigopt's search for the point of greatest expected improvement, made cheaper.

It takes some hundred steps of differential evolution and then of gradient ascent, on surfaces of a few dimensions that
are found as well with a fraction of them, and asks SciPy's general distributions for a normal one. Both are patched
here, once, because libsigopt has no setting for them; docs/adr/0002-tuning-service.md has what it costs and brings.
"""

from typing import Any

import numpy as np
from libsigopt.compute import acquisition_function_optimization, predictor
from numpy.typing import NDArray
from scipy.special import ndtr

Reals = NDArray[np.float64]
SHARE, FEWEST = 0.25, 25  # of libsigopt's steps
_steps = acquisition_function_optimization.find_optimizer_maxiter


class Normal:
    """The standard normal distribution, as `scipy.stats.norm` without its checks of shapes and arguments."""

    @staticmethod
    def pdf(z: Reals) -> Reals:
        """Density."""
        density: Reals = np.exp(-0.5 * z * z) / np.sqrt(2 * np.pi)
        return density

    @staticmethod
    def cdf(z: Reals) -> Reals:
        """Probability of less than `z`."""
        probability: Reals = ndtr(z)
        return probability


def steps(**search: Any) -> int:
    """How many steps a search takes."""
    wanted: int = _steps(**search)
    return min(wanted, max(FEWEST, int(SHARE * wanted)))


def hasten() -> None:
    """Let libsigopt use both."""
    acquisition_function_optimization.find_optimizer_maxiter = steps
    predictor.norm = Normal
