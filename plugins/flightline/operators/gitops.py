"""Commit to the GitOps repository."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from flightline.exceptions import GitOpsInvalid
from flightline.hooks.gitops import Change, GitOpsHook, Restore

if TYPE_CHECKING:
    from airflow.sdk import Context


class GitOpsCommitOperator(BaseOperator):
    """Bring files of a branch to a state in one commit and push it; others may push at the same time.

    The state is declared, so a retry after a pushed commit finds nothing to do and returns that same commit.

    Args:
        message: of the commit.
        files: path in the repository -> content; None deletes the file.
        restore: instead of `files`: `(path, commit)`, a file or folder as it was at an earlier commit. With an empty
            commit (there was none before) the path is removed.
        own: with `restore`: refuse if others than this run changed the path since that commit.
        folder: with `files`: refuse if this folder holds other files, which whoever deploys the commit would deploy.
        branch: to push to; made if missing.
        conn_id: Connection of type `git`.

    Returns (XCom): `{"commit", "head", "previous", "changed"}`: the commit that holds the state, the branch's newest,
    the commit before ours, the paths it changed. Nothing to change: all three are the head, `changed` is empty, unless
    an earlier try of this task (before a clear, too) made the commit.

    Raises:
        GitOpsConflict, GitOpsUnavailable, GitOpsInvalid: see `flightline.exceptions`.
    """

    template_fields: Sequence[str] = ("files", "message", "restore", "branch", "conn_id")
    template_fields_renderers = {"files": "json"}  # noqa: RUF012 (as in BaseOperator)
    ui_color = "#f6d8c9"

    def __init__(
        self,
        *,
        message: str,
        files: dict[str, str | None] | None = None,
        restore: tuple[str, str | None] | None = None,
        own: bool = False,
        folder: str | None = None,
        branch: str = "main",
        conn_id: str = "gitops",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.message = message
        self.files = files
        self.restore = restore
        self.own = own
        self.folder = folder
        self.branch = branch
        self.conn_id = conn_id

    def execute(self, context: "Context") -> dict[str, Any]:
        """Commit and push."""
        ti = context["ti"]
        run = f"{ti.dag_id}/{ti.run_id}/"
        done = GitOpsHook(self.conn_id).commit(
            self._change(run),
            message=self.message,
            key=f"{run}{ti.task_id}/{ti.map_index}",
            branch=self.branch,
            folder=self.folder,
        )
        self.log.info("%s is at %s: %s", self.branch, done.commit, ", ".join(done.changed) or "nothing to change")
        return {"commit": done.commit, "head": done.head, "previous": done.previous, "changed": list(done.changed)}

    def _change(self, run: str) -> Change | Restore:
        if bool(self.files) == bool(self.restore):
            raise GitOpsInvalid(f"{self.task_id}: give either files or restore")
        if self.restore:
            path, commit = self.restore
            return Restore(path=path, commit=commit or None, owner=run if self.own else None)
        return dict(self.files or {})
