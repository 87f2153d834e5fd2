"""Ways out for alerts: the port of a sink, Apprise behind it, its twin in memory, and threads that wait for sinks."""
