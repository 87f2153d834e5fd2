"""``python -m benchmarks.rivals NAME PATH GROUPS SIZE MOST``: one run of one rival; its figure as JSON on one line.

A rival whose library is not there says so in the same way, and ends with status 0: that is an answer, too.
"""

from __future__ import annotations

import json
import sys
from importlib import import_module
from pathlib import Path

PROGRAMS = {
    "pykka": "pykka_actors",
    "thespian": "thespian_processes",
    "dbos": "dbos_workflows",
    "nautilus": "nautilus_engine",
}


def main(name: str, path: str, *numbers: str) -> dict[str, object]:
    """Run it."""
    try:
        program = import_module(f"benchmarks.rivals.{PROGRAMS[name]}")
    except ImportError as error:
        return {"missing": str(error)}
    return {"value": program.reports_per_second(Path(path), *map(int, numbers))}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(*sys.argv[1:])) + "\n")
    sys.stdout.flush()
