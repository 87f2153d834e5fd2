"""``python -m venue``: run the embedded exchange."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import msgspec

from venue.launch import Options, serve
from venue.nasty import PRESETS, preset
from venue.rules import Rules


def parser() -> argparse.ArgumentParser:
    """The command line."""
    defaults = Options()
    p = argparse.ArgumentParser(
        prog="python -m venue",
        description="An options exchange in one process, for tests, demonstrations and paper trading. When it is ready "
        'it prints {"listening": PORT}; SIGTERM or SIGINT stops it.',
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    p.add_argument("--host", default=defaults.host, help="address to listen on")
    p.add_argument("--port", type=int, default=defaults.port, help="port to listen on; 0: any free one")
    p.add_argument("--quotes", type=Path, help="a day of option quotes in Lean's format; none: a made-up chain")
    p.add_argument("--chain", default=defaults.chain, help="which made-up chain: us, or nse")
    p.add_argument("--seed", type=int, default=defaults.seed, help="of the made-up chain and of the misbehaviour")
    p.add_argument("--speed", type=float, default=defaults.speed, help="exchange seconds per real second")
    p.add_argument("--offset-s", type=float, default=defaults.offset_s, help="start this many seconds after the open")
    p.add_argument("--truth", type=Path, help="write what really happened to this file")
    p.add_argument("--nasty", choices=sorted(PRESETS), default="off", help="how badly the server behaves")
    p.add_argument("--rules", default="{}", help="the exchange's rules that differ from the usual, as a JSON object")
    p.add_argument("--session", action="store_true", help="keep the day's trading hours; else it is always open")
    p.add_argument("--hold", action="store_true", help="repeat the last quotes each second with fresh times")
    p.add_argument("--die-with-parent", action="store_true", help="be killed when the starting process ends (Linux)")
    p.add_argument("--resume", action="store_true", help="go on where the record of --truth ends")
    p.add_argument("--live-quotes", action="store_true", help="take the market from standard input")
    p.add_argument("--quote-max-age-ms", type=int, default=defaults.quote_max_age_ms, help="withdraw older live quotes")
    p.add_argument("--feed-timeout-ms", type=int, default=defaults.feed_timeout_ms, help="close without input so long")
    return p


def main(argv: list[str] | None = None) -> int:
    """Read the command line and serve; the exit status."""
    p = parser()
    given = p.parse_args(argv)
    try:
        options = Options(
            **{**vars(given), "nasty": preset(given.nasty), "rules": msgspec.json.decode(given.rules, type=Rules)}
        )
    except (ValueError, msgspec.DecodeError) as error:
        p.error(str(error))
    return serve(options)


if __name__ == "__main__":
    sys.exit(main())
