"""A stand-in for Rancher: left out are users and roles but one, projects, catalogs, provisioning, its UI, websockets.

Two or more process-backed clusters (`sandbox/cluster`) live in its process, each behind Rancher's proxy. It speaks the
old API (norman, /v3) and, unless it is told to be old, the new one (/v1-public, ext.cattle.io/v1) too. A file
`<state>/<cluster>.state` with a word in it gives a cluster that state (`unavailable`); then the proxy answers as
Rancher's does: 503 with a body that is no Status of Kubernetes.
"""
