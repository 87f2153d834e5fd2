"""Which brokers there are: the one place that knows every adapter."""

from __future__ import annotations

import time

from msgspec.structs import replace

from brokers.embedded.adapter import DECLARED, EmbeddedAdapter
from brokers.port import BrokerAdapter
from config.schema import BrokerConfig

KINDS = ("embedded",)


def make_adapter(config: BrokerConfig) -> BrokerAdapter:
    """The adapter that the configuration names.  Raises ``ValueError`` for a kind that there is none of."""
    if config.kind not in KINDS:
        raise ValueError(f"broker.kind {config.kind!r} is not known; allowed: {', '.join(KINDS)}")
    return EmbeddedAdapter(
        config.host,
        config.port,
        monotonic=time.monotonic,
        answer_timeout_s=config.answer_timeout_ms / 1000,
        silence_timeout_s=config.silence_timeout_ms / 1000,
        cancel_on_disconnect_ms=config.cancel_on_disconnect_ms,
        declared=replace(
            DECLARED,
            replace_in_place=DECLARED.replace_in_place and config.replace_in_place,
            server_side_stops=DECLARED.server_side_stops and config.server_side_stops,
            cancel_on_disconnect=DECLARED.cancel_on_disconnect and config.cancel_on_disconnect_ms > 0,
            market_orders_rest=DECLARED.market_orders_rest or config.market_orders_rest,
        ),
    )
