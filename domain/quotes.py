"""The best bid and offer of one instrument at one moment."""

from __future__ import annotations

import msgspec


class Quote(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """Top of book (FIX 132 to 135).  A price of 0 means that this side has no quote; times are the broker's clock."""

    symbol: str
    ts_ns: int
    bid: int
    bid_size: int
    ask: int
    ask_size: int

    @property
    def usable(self) -> bool:
        """Both sides are there, positive, and not crossed."""
        return 0 < self.bid <= self.ask

    @property
    def mid(self) -> int:
        """Halfway between bid and ask; 0 when the quote is not usable."""
        return (self.bid + self.ask) // 2 if self.usable else 0
