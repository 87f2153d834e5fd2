"""Plants a bug before anything is tested: ``PLANT=E2 pytest -p simulation.planting …``.

Programs that a test starts get it too: they find a ``sitecustomize`` on their PYTHONPATH that plants it before they
run.  (A test that gives its program a PYTHONPATH of its own takes that away: it tests the program as it is.)
"""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import mkdtemp

from simulation.mutants.catalogue import named

VARIABLE = "PLANT"
ROOT = Path(__file__).resolve().parents[1]


def plant() -> None:
    """Plant the bugs that the environment names, separated by commas."""
    for name in filter(None, os.environ.get(VARIABLE, "").split(",")):
        named(name).plant()


def pytest_configure() -> None:
    """Plant here, and in every program that the tests will start."""
    if not os.environ.get(VARIABLE):
        return
    plant()
    directory = Path(mkdtemp(prefix="planted-"))
    (directory / "sitecustomize.py").write_text("from simulation.planting import plant\n\nplant()\n")
    old = filter(None, [os.environ.get("PYTHONPATH")])
    os.environ["PYTHONPATH"] = os.pathsep.join([str(directory), str(ROOT), *old])
