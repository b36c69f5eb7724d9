"""Hyperparameter tuning: the client's side (`experiment`, `loop`) and the service it speaks to (`service`).

The client's side needs SigOpt's own client and works against any server of SigOpt's API. The service runs in an
environment of its own, so this package itself imports nothing.
"""
