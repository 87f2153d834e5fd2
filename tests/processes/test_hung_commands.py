"""A command keeps its own deadline, also where the process that it is for hangs and reads nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from system import ROOT, free_port

PATIENCE_S = 1.0
PROGRAM = """
import json, os, signal, sys, time
from config.schema import BrokerConfig, Config, MetricsConfig, SupervisionConfig, SystemConfig
from messages.operator import AskStatus, AskStrategies, StrategyList
from supervisors.line import NoAnswer
from supervisors.system import running_system

directory, admin_port, nobody, patience_s = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
config = Config(
    system=SystemConfig(journal_dir=directory, cells=1, admin_port=admin_port),
    broker=BrokerConfig(port=nobody),
    metrics=MetricsConfig(port=0),
    supervision=SupervisionConfig(heartbeat_timeout_ms=600_000),
)
with running_system(config) as system:
    (cell,) = [each.pid for each in system.operate(AskStatus()).processes if each.name == "cell-0"]
    os.kill(cell, signal.SIGSTOP)
    began, found = time.monotonic(), "answered"
    try:
        system.operate(AskStrategies("strategies"), timeout_s=patience_s)
    except NoAnswer:
        found = "no answer"
    took_s = time.monotonic() - began
    os.kill(cell, signal.SIGCONT)
    later = isinstance(system.operate(AskStrategies("strategies")), StrategyList)
print(json.dumps({"found": found, "took_s": took_s, "later": later}))
"""


def test_a_command_for_a_process_that_hangs_ends_at_its_deadline_and_not_a_minute_later(tmp_path: Path) -> None:
    arguments = [str(tmp_path), str(free_port()), str(free_port()), str(PATIENCE_S)]
    out = subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=110, check=True
    ).stdout
    told = json.loads(out.splitlines()[-1])
    assert (told["found"], told["later"]) == ("no answer", True)
    assert told["took_s"] < 10 * PATIENCE_S  # a loaded machine is slow; a told message waited for 60 s
