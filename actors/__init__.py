"""The hands: one shell that does receive, decide, record, release, and one thin file per actor."""
