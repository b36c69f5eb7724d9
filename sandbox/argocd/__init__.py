"""Stand-in for Argo CD v3.5 without UI, RBAC, projects, hooks, Helm, Kustomize, auto-sync, windows, retries.

It speaks Argo CD's REST API (the subset under `api.py`), renders plain manifests of a path at a revision of a Git
repository and applies, prunes and judges them on the cluster that an application names: its own,
or one whose kubeconfig is in a folder. Differences that a client could notice:

- one account with every right (`admin`, or the token of `--token-file`), one project (`default`);
- `automated`, Helm, Kustomize, several sources and resource hooks are refused with 501, `retryStrategy` is ignored;
- objects are applied by a three-way strategic merge patch (`merge.py`); custom resources by a merge patch;
- live state is polled (0.5 s while something moves, else 5 s), so the stream may skip states between two polls;
- the log of a pod is its last lines (`pod_logs.py`): nothing is followed or filtered;
- the web page of an application is a plain read-only table behind HTTP Basic (`admin`): bind it to loopback only.
"""
