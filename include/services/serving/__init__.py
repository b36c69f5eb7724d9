"""Serve one pinned model over REST: the Open Inference Protocol v2 and plain JSON records.

A process serves one model file of one use case. `service` knows the endpoints, `asgi` gives them to HTTP
(`foundation/http`), `predictor` the way from records to answers: the features' code is the use case's own, as in
training. `marketplace` gives the same answers by Modzy's interface (gRPC), `lines` on standard output.
"""
