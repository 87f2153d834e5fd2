"""The alerting rules and the dashboard speak of metrics that exist."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from config.schema import AlertsConfig
from monitoring.catalogue import CATALOGUE, METRICS, PREFIX, Kind

FILES = Path(__file__).resolve().parents[2] / "monitoring"
ROOT = FILES.parent
ROOMS = ("actors", "decisions", "supervisors")
# No value of these calls for anybody: they explain others, or an alert of the system's own tells the same at once
TO_BE_LOOKED_AT = {
    "orders_sent_total", "safeguard_actions_total", "strategy_exits_total", "groups", "alerts_total",
    "alert_deliveries_total", "day_result",
}  # fmt: skip
RULES, DASHBOARD = FILES / "alerts.yml", FILES / "dashboard.json"


def rules() -> list[dict[str, Any]]:
    return [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]


def expressions() -> list[str]:
    panels = json.loads(DASHBOARD.read_text())["panels"]
    shown = [target["expr"] for panel in panels for target in panel.get("targets", ())]
    return [*(rule["expr"] for rule in rules()), *shown]


def series() -> set[str]:
    """The names that a scrape shows."""
    suffixes = {Kind.HISTOGRAM: ("_bucket", "_sum", "_count")}
    return {PREFIX + metric.name + suffix for metric in METRICS for suffix in suffixes.get(metric.kind, ("",))}


@pytest.mark.parametrize("expression", expressions())
def test_every_metric_that_is_mentioned_exists_with_the_labels_that_it_is_asked_by(expression: str) -> None:
    named = re.findall(rf"({PREFIX}\w+)(?:\{{(\w+)=)?", expression)
    assert named
    for name, label in named:
        assert name in series()
        metric = CATALOGUE[re.sub("_(bucket|sum|count)$", "", name.removeprefix(PREFIX))]
        assert label in ("", "process", *metric.labels)
    grouped = {label for labels in re.findall(r"by \(([^)]*)\)", expression) for label in labels.split(", ")}
    known = {label for name, _ in named for label in CATALOGUE_LABELS[re.sub("_(bucket|sum|count)$", "", name)]}
    assert grouped <= known | {"process", "le"}


CATALOGUE_LABELS = {PREFIX + metric.name: metric.labels for metric in METRICS}


def test_every_metric_is_on_the_dashboard() -> None:
    text = DASHBOARD.read_text()
    assert [metric.name for metric in METRICS if PREFIX + metric.name not in text] == []


def test_every_metric_is_watched_by_a_rule_or_is_only_to_be_looked_at() -> None:
    watched = " ".join(rule["expr"] for rule in rules())
    assert {metric.name for metric in METRICS if PREFIX + metric.name not in watched} == TO_BE_LOOKED_AT


def test_every_metric_and_every_kind_of_alert_is_explained() -> None:
    text = (ROOT / "docs" / "monitoring.md").read_text()
    assert [metric.name for metric in METRICS if not re.search(rf"`{metric.name}[`{{]", text)] == []
    kinds = alert_kinds()
    assert {"BROKER_SILENT", "LOSS_LIMIT", "WRONG_REALM", "END_OF_DAY"} <= kinds
    assert [kind for kind in sorted(kinds) if f"`{kind}`" not in text] == []


def alert_kinds() -> set[str]:
    """What stands in the code beside a severity, under the name ``kind``, or first in the root's own letters."""
    found = set()
    for path in (path for room in ROOMS for path in (ROOT / room).rglob("*.py")):
        for call in (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)):
            told = [*call.args, *(keyword.value for keyword in call.keywords)]
            names = {node.id for argument in told for node in ast.walk(argument) if isinstance(node, ast.Name)}
            letter = isinstance(call.func, ast.Name) and call.func.id in ("Trouble", "TellOperators")
            if "Severity" in names or letter:
                found |= {arg.value for arg in told if isinstance(arg, ast.Constant) and isinstance(arg.value, str)}
    return {kind for kind in found if re.fullmatch(r"[A-Z]+(_[A-Z]+)+", kind)}


def test_every_rule_says_what_is_wrong_and_what_to_do() -> None:
    names = [rule["alert"] for rule in rules()]
    assert len(names) == len(set(names)) > 10
    for rule in rules():
        assert rule["labels"]["severity"] in ("critical", "warning")
        assert rule["annotations"].keys() == {"summary", "action"}


def test_the_rules_use_the_thresholds_of_the_configuration() -> None:
    config, found = AlertsConfig(), {rule["alert"]: rule["expr"] for rule in rules()}
    assert found["LegkeeperUnhedgedExposure"].endswith(f"> {config.exposure_units}")
    assert found["LegkeeperHedgeLag"].endswith(f"> {config.hedge_lag_ms / 1_000:g}")
    assert found["LegkeeperMarginUse"].endswith(f"> {config.margin_use_pct / 100:g}")


def test_names_follow_the_conventions_of_prometheus() -> None:
    for metric in METRICS:
        assert re.fullmatch(r"[a-z][a-z_]*[a-z]", metric.name)
        assert (metric.kind is Kind.COUNTER) == metric.name.endswith("_total")
        assert (metric.kind is Kind.HISTOGRAM) == bool(metric.buckets)
        assert list(metric.buckets) == sorted(metric.buckets)
        assert not metric.always or len(metric.labels) == 1
