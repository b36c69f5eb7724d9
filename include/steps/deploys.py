"""DORA's measures of a use case, from a clone of the GitOps repository."""

import subprocess
from datetime import UTC, datetime

from include.foundation.echo import cut
from include.foundation.errors import InvalidInput
from include.foundation.spec import load
from include.stages.promotion import dora

GIT_SECONDS = 60


def deploys(use_case: str, repository: str, *, days: int) -> dora.Figures:
    """The measures of the last days; Argo CD is not asked, so a commit counts from the moment it was made.

    Args:
        use_case: name.
        repository: path of a clone.
        days: to look back.

    Raises:
        InvalidInput: the path is no repository, or its history cannot be read.
    """
    spec = load(use_case)
    command = ["git", "-C", repository, "log", dora.FORMAT, "--", spec.slug]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=GIT_SECONDS)
    except (OSError, subprocess.SubprocessError) as error:
        said = getattr(error, "stderr", None) or str(error)
        raise InvalidInput(f"the history of {cut(repository)} cannot be read: {cut(str(said).strip(), 300)}") from error
    stage = spec.promotion.stages[-1].name
    return dora.figures(dora.parse(done.stdout), last_stage=stage, now=datetime.now(UTC), days=days)
