"""Logistic regression (scikit-learn) as the model of a binary use case; also the example of a model family."""

from include.models.linear.logistic import LogisticRegression, Model

__all__ = ["LogisticRegression", "Model"]
