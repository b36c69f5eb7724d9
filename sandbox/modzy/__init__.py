"""A stand-in for Modzy's REST API: left out are accounts, teams, tags, search, GPUs, ARM, Edge, S3 jobs, many engines.

It does what the published Python client uses, and is strict: a field that is missing, unknown or of another type is
refused, and so is a step out of order. A version's container really runs: the image is a bundle out of the object store
in an environment of this machine (images.json), and it is asked by gRPC.
"""
