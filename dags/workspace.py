"""### Workspace: a desk of one's own beside the data, for some hours

**Why** — people look at data and try models with the project's own code, next to the lake, and not with copies of both
on a laptop.

**Starts** — by hand only, from here or from *Flightline → Workspaces*.

**Order** — `start` makes a pod with JupyterLab and a desktop in the browser, its network policy, its address, a token
drawn at random, and, once, a volume for the home of whoever asks: the login that started the run. `ready` waits until
it answers; its button *Open the workspace* opens it for its owner. *Flightline → Workspaces* opens, extends and stops
it too; nobody sees anybody else's but who may read the Connection `cluster`.

**Inputs** — Connection `cluster` (its extra says `workspaces`: address, images, quota, docs/systems/workspace.md); the
Secret `rights-<login>` with the person's own keys, where the cluster's owner has made one: without it the workspace
starts, and opens nothing.

**Outputs** — a pod, and a home that stays when the pod goes. It ends itself when nobody has used it for as long as the
Connection says; `platform.sweep` ends it when its hours are over.

**When it fails**
- *would have …*: the quota; stop a workspace first, or ask for less.
- *nobody asks*: the run was started by a schedule or the command line; start it logged in.
- *image … none that may be asked for*, *cannot be had*: the Connection lists the images; `make images` builds them, on
  one's own machine `make workspace` does.
- *lacks programs of the desktop*: the message has the line that installs them.
- *is not ready after*: clear `ready`; what the pod waits for is in the message (a volume, a node with room).

**Form** — `image`, `cpus`, `memory_gib`, `gpus`, `hours`.
"""

from datetime import timedelta

from airflow.sdk import DAG

from flightline import forms, notes
from flightline.links.pages import WorkspaceLink, linked
from flightline.tasks import workspace
from flightline.workspaces.settings import Wanted

with DAG(
    "platform.workspace",
    description="Start JupyterLab and a desktop in the browser for who asks",
    doc_md=__doc__,
    schedule=None,
    catchup=False,
    max_active_tasks=8,
    tags=["platform", "workspace"],
    default_args={"owner": "platform", "retries": 2, "retry_delay": timedelta(seconds=10), **notes.IN_WORDS},
    params=forms.of(Wanted()),
):
    # One at a time: two runs of one person would each find the quota unused.
    linked(workspace.ready(workspace.start.override(max_active_tis_per_dag=1)()), WorkspaceLink())
