"""A process that writes a journal and dies without closing it: ``python audit_child.py DIRECTORY``."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from audit_story import Story, eventful

if __name__ == "__main__":
    story = Story(Path(sys.argv[1]))
    eventful(story)
    story.write_truth()
    os.kill(os.getpid(), signal.SIGKILL)
