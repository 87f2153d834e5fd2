"""The embedded exchange: a pure matching core, quote feeds for it, and a server process around it with a real socket.

The core (``exchange``, ``book``, ``refusals``, ``account``, ``margin``, ``settlement``) has no clock, no randomness and
no I/O: time is an argument, and what it does is handed to a ``record`` callback before anyone is told.
"""
