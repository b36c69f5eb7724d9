"""Tasks that bring the champion to a marketplace."""

from collections.abc import Mapping
from typing import Any

from airflow.sdk import task

from flightline import own_code
from flightline.failing import failing_fast
from include.foundation.spec import load


@task
@failing_fast
def card(use_case: str, chosen: Mapping[str, Any], bundled: Mapping[str, Any]) -> dict[str, Any]:
    """What the marketplace is told of a version: of its run manifest and its gates, as the approver was.

    Args:
        use_case: name.
        chosen: the version.
        bundled: its bundle, which the image that the marketplace pulls holds; the bundle's name is the image's tag.
    """
    from flightline.hooks.mlflow import MlflowHook
    from flightline.hooks.modzy import ModzyHook
    from include.stages import registry
    from include.stages.promotion import marketplace
    from include.stages.registry.description import describe

    mlflow = MlflowHook()
    found = registry.get(mlflow.get_conn(), use_case, chosen["version"])
    judged = found.verdict().check_report("gates/report.md", mlflow.read_text(found.run_id, "gates/report.md"))
    records, expected = own_code.sample(use_case, chosen)
    return marketplace.card(
        load(use_case),
        version=found.version,
        digest=found.digest,
        manifest=found.manifest().digest,
        image=f"{ModzyHook().image}:{bundled['name']}",
        made_from=describe(found.manifest()),
        judged=judged,
        records=records,
        expected=expected,
    )
