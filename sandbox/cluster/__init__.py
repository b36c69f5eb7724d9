"""Kubernetes with processes for pods; leaves out isolation, DNS, exec, RBAC, server-side apply, CRDs and more.

All of what is left out: containers (file systems, users, securityContext and CPU limits are not enforced; a volume is a
directory that the container finds in VOLUME_<NAME>, `mountPath` is not honoured; terminationMessagePath is not read),
cluster DNS and service variables, exec, attach, port-forward and so XCom side cars, server-side apply, RBAC, quotas,
custom resources, persistent volumes (a claim is a directory that stays), network policies (kept, not enforced),
stateful, daemon and cron workloads, Indexed Jobs, sidecar init containers, pod affinity, sums of requests, priority and
preemption, gRPC probes, postStart hooks, hostPort, paging of lists, bookmarks, protobuf (so kubectl's generators such
as `create job`; `apply` and `create -f` send JSON), metrics (`kubectl top`), access reviews (`auth can-i`), schemas
(`explain`), ephemeral containers (`debug`). What is asked for and left out is answered by 501, or as a cluster without
it does.

A container that declares ports must listen on $HOST:$PORT (127.0.0.1 and a free port); probes and Services map the
declared port to that one. `python -m sandbox.cluster --help` tells how to run it; the API is on http://127.0.0.1:<port>.
"""
