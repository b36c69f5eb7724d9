"""libsigopt's search for the point of greatest expected improvement, made cheaper.

It takes some hundred steps of differential evolution and then of gradient ascent, on surfaces of a few dimensions that
are found as well with a fraction of them, asks SciPy's general distributions for a normal one, and fits the model's
hyperparameters from ten starts, where the first, its defaults, and two more do. All are patched here, once, because
libsigopt has no setting for them; docs/adr/0002-tuning-service.md has what it costs and brings.
"""

from dataclasses import replace
from typing import Any

import numpy as np
from libsigopt.compute import acquisition_function_optimization, predictor
from libsigopt.views.rest import gp_hyper_opt_multimetric as hyperparameters
from numpy.typing import NDArray
from scipy.special import ndtr

Reals = NDArray[np.float64]
SHARE, FEWEST = 0.25, 25  # of libsigopt's steps
STARTS = 3  # of a model's hyperparameters
_steps = acquisition_function_optimization.find_optimizer_maxiter
_hyperparameters = hyperparameters.DEFAULT_HYPER_OPT_OPTIMIZER_INFO


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
    """Let libsigopt use them."""
    acquisition_function_optimization.find_optimizer_maxiter = steps
    hyperparameters.DEFAULT_HYPER_OPT_OPTIMIZER_INFO = replace(_hyperparameters, num_multistarts=STARTS)
    predictor.norm = Normal
