"""Where the sandbox's Airflow sends events of lineage."""

from sandbox.airflow import config


def test_openlineage_goes_where_it_is_said_and_nowhere_else():
    assert config._openlineage("") == {"disabled": True}
    assert '"type": "file"' in str(config._openlineage("/tmp/events.jsonl")["transport"])
    assert '"url": "https://marquez.example"' in str(config._openlineage("https://marquez.example")["transport"])
