"""The typed spec of a use case: what `use_case.yaml` may say and where its parts are found."""

from include.foundation.spec.loading import ROOT, faults, load, load_all, module, names
from include.foundation.spec.modules import FeaturesModule, blame
from include.foundation.spec.use_case import UseCase
from include.foundation.spec.view import View

__all__ = ["ROOT", "FeaturesModule", "UseCase", "View", "blame", "faults", "load", "load_all", "module", "names"]
