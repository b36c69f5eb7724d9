"""The catalog in a shell."""

import json

from include.catalog import __main__ as shell


def test_lineage_needs_no_lake(capsys, monkeypatch):
    monkeypatch.delenv("FLIGHTLINE_LANDING", raising=False)
    assert shell.main(["lineage", "gold.flight_delays", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["use_cases"] == ["flight_delays"]
    assert {edge["above"] for edge in said["made_of"]} >= {"silver.flight_delays__weather"}
    shell.main(["lineage", "gold.flight_delays"])
    assert "made of  silver.flight_delays__weather  by flight_delays.features" in capsys.readouterr().out


def test_lineage_tells_the_columns_that_the_lake_knows(folder_lake, monkeypatch, capsys):
    monkeypatch.setattr(shell.Lake, "from_env", lambda: folder_lake)
    seen = {"weather_temp": (("weather", "temp"),)}
    monkeypatch.setattr(shell, "known", lambda _, spec: seen if spec.name == "flight_delays" else {})
    shell.main(["lineage", "gold.flight_delays", "--json"])
    said = json.loads(capsys.readouterr().out)
    assert said["columns"] == {"weather_temp": ["silver.flight_delays__weather.temp"]}
    assert [edge["columns"] for edge in said["made_of"] if edge["columns"]] == [[["weather_temp", "temp"]]]
    shell.main(["lineage", "gold.flight_delays"])
    assert "weather_temp  from silver.flight_delays__weather.temp" in capsys.readouterr().out


def test_tables_search_and_describe(folder_lake, monkeypatch, capsys):
    monkeypatch.setattr(shell.Lake, "from_env", lambda: folder_lake)
    assert shell.main(["tables", "--json"]) == 0
    every = json.loads(capsys.readouterr().out)
    assert {each["reason"] for each in every} == {"not made yet"}
    shell.main(["search", "tailnum", "silver"])
    assert "silver.flight_delays__planes" in capsys.readouterr().out
    shell.main(["describe", "silver.flight_delays__planes"])
    assert json.loads(capsys.readouterr().out)["contract"] == "Planes"
    assert shell.main(["describe", "nowhere.t"]) == 1
    assert "MissingInput: there is no table" in capsys.readouterr().err
