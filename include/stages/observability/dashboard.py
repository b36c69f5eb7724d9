"""A use case's dashboard for Grafana, by Grafana's own SDK; provisioned from a file, so it has a `uid` and no `id`."""

import json
from typing import Any

from grafana_foundation_sdk.builders import common as builders
from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.builders import prometheus, stat, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common

from include.foundation.spec import UseCase
from include.stages.observability.panels import Panel, rows

SOURCE = "prometheus"  # uid of the data source in deploy/grafana/provisioning
WIDTH, HEIGHT = 8, 8  # of a panel; a dashboard is 24 wide


def dashboard(spec: UseCase) -> str:
    """The dashboard as JSON, keys sorted: equal spec, equal text."""
    board = (
        build.Dashboard(spec.title)
        .uid(spec.dashboard)
        .description(spec.description)
        .tags(["flightline", spec.name])
        .timezone("utc")
        .time("now-6h", "now")
        .refresh("30s")
        .readonly()
        .annotation(_marks(spec))
    )
    for title, panels in rows(spec).items():
        board = board.with_row(build.Row(title))
        for panel in panels:
            board = board.with_panel(_picture(panel))
    return json.dumps(json.loads(JSONEncoder(sort_keys=True).encode(board.build())), indent=1, sort_keys=True) + "\n"


def _marks(spec: UseCase) -> build.AnnotationQuery:
    target = build.AnnotationTarget().limit(100).match_any(False).tags(["flightline", spec.name]).type("tags")
    return (
        build.AnnotationQuery()
        .name("Deploys, rollbacks, trainings")
        .datasource(common.DataSourceRef(type_val="grafana", uid="-- Grafana --"))
        .enable(True)
        .icon_color("blue")
        .target(target)  # type: ignore[arg-type]  # the SDK says another type than it takes
    )


def _kind(*, number: bool) -> Any:
    if number:
        return stat.Panel().reduce_options(builders.ReduceDataOptions().calcs(["lastNotNull"]))
    legend = (
        builders.VizLegendOptions()
        .show_legend(True)
        .display_mode(common.LegendDisplayMode.LIST)
        .placement(common.LegendPlacement.BOTTOM)
    )
    return timeseries.Panel().legend(legend)


def _picture(panel: Panel) -> Any:
    found = (
        _kind(number=panel.number)
        .title(panel.title)
        .description(panel.text)
        .unit(panel.unit)
        .span(WIDTH)
        .height(HEIGHT)
        .datasource(common.DataSourceRef(type_val="prometheus", uid=SOURCE))
    )
    for number, query in enumerate(panel.queries):
        target = prometheus.Dataquery().expr(query.expr).legend_format(query.legend).ref_id(chr(ord("A") + number))
        found = found.with_target(target.instant() if panel.number else target.range())
    return found
