"""Tasks that bring the champion to an endpoint of SageMaker."""

from collections.abc import Mapping
from typing import Any

from airflow.sdk import task

from flightline import own_code
from flightline.failing import failing_fast
from include.foundation.spec import load


@task
@failing_fast
def variant(
    use_case: str, chosen: Mapping[str, Any], bundled: Mapping[str, Any], conn_id: str = "sagemaker"
) -> dict[str, Any]:
    """What SageMaker is to host: the version's serving image with its bundle.

    Args:
        use_case: name.
        chosen: the version.
        bundled: its bundle.
        conn_id: Connection of SageMaker; its extra says which registry, role and profile.
    """
    from flightline.hooks import sagemaker_profile as profiles
    from flightline.hooks.sagemaker_endpoint import EndpointsHook
    from include.stages.promotion import endpoint

    extra = profiles.settings(conn_id, needs=("execution_role",))
    profile = profiles.endpoint(extra)
    role = EndpointsHook(conn_id).expand_role(str(extra["execution_role"]))
    records, expected = own_code.sample(use_case, chosen)
    return endpoint.variant(
        load(use_case),
        version=chosen["version"],
        digest=chosen["digest"],
        bundle=bundled,
        image=f"{profiles.registry(extra)}/{chosen['image'].rpartition('/')[2]}",
        profile={**profile, "Model": {**profile["Model"], "ExecutionRoleArn": role}},
        records=records,
        expected=expected,
    )
