"""What a cluster is called behind Rancher, and the kubeconfig of one."""

import hashlib
import json


def identifier(name: str) -> str:
    """Rancher's id of a cluster, which is not the name that people see."""
    return f"c-m-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def kubeconfig(name: str, server: str, token: str) -> str:
    """A kubeconfig through Rancher; JSON is YAML too."""
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": name,
            "clusters": [{"name": name, "cluster": {"server": server}}],
            "users": [{"name": name, "user": {"token": token}}],
            "contexts": [{"name": name, "context": {"user": name, "cluster": name}}],
        },
        indent=1,
    )
