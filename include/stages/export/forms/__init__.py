"""The forms that a model file can have beside float32, a slot."""

from include.stages.export.forms.form import Form
from include.stages.export.forms.int8 import Int8
from include.stages.export.forms.optimized import Optimized

FORMS: tuple[Form, ...] = (Optimized(), Int8())

__all__ = ["FORMS", "Form"]
