"""The nouns: money, instruments, orders, groups, coverage, pricing and margin.  No I/O, no clock, no randomness.

Values are frozen ``msgspec.Struct`` classes: slotted dataclasses that the codec can write as they are.
"""
