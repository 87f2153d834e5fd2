"""Other people's libraries doing the same work, each a small honest program in a process of its own.

They have requirements of their own (``requirements-bench.lock``, ``make bench``), which nothing else here needs.
"""
