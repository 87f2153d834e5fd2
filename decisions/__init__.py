"""The verbs: what to do about what is known.

Pure functions, all of them: ``(what is known, what happened, when) -> what is known now, and what should happen``.
No clock, no I/O, no randomness, no actor framework; whoever calls them brings the time and carries out the effects.
"""
