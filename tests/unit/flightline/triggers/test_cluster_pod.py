from datetime import UTC, datetime

from flightline.hooks.cluster_client import AsyncClusterClient
from flightline.triggers.cluster_pod import ClusterPodTrigger


def test_its_row_names_the_cluster_and_leads_back_to_it():
    one = ClusterPodTrigger(
        cluster="c-m-east",
        pod_name="p",
        pod_namespace="flightline",
        trigger_start_time=datetime(2026, 1, 1, tzinfo=UTC),
        base_container_name="base",
        kubernetes_conn_id="rancher",
    )
    path, fields = one.serialize()
    assert path == "flightline.triggers.cluster_pod.ClusterPodTrigger"
    assert (fields["cluster"], fields["config_dict"], fields["connection_extras"]) == ("c-m-east", None, None)
    again = ClusterPodTrigger(**fields)
    assert again.serialize() == (path, fields)
    assert isinstance(again.hook, AsyncClusterClient)
    assert (again.hook.conn_id, again.hook.cluster) == ("rancher", "c-m-east")
