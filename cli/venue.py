"""``venue``: the embedded exchange, a process of its own."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from cli.problems import BadInput
from venue.launch import Options, serve
from venue.nasty import preset
from venue.rules import Rules


class HowNasty(Enum):
    """How badly the exchange behaves."""

    OFF = "off"
    SOME = "some"
    FULL = "full"


QuotesFile = Annotated[
    Path | None,
    typer.Option(
        "--quotes", metavar="FILE.zip", help="A day of option quotes in LEAN's format; none: a made-up chain."
    ),
]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("venue")(venue)


def venue(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0: any free one.")] = 19471,
    quotes: QuotesFile = None,
    chain: Annotated[str, typer.Option(help="Which made-up chain: us, or nse (an index by NSE's rules).")] = "us",
    seed: Annotated[int, typer.Option(help="Of the made-up chain, and of the misbehaviour.")] = 0,
    speed: Annotated[float, typer.Option(help="Exchange seconds per real second.")] = 1.0,
    offset_s: Annotated[float, typer.Option(help="Start this many seconds after the open.")] = 0.0,
    truth: Annotated[Path | None, typer.Option(metavar="FILE", help="Write what really happened to this file.")] = None,
    nasty: Annotated[HowNasty, typer.Option(help="How badly it behaves.")] = HowNasty.OFF,
    rules: Annotated[str, typer.Option(help="House rules that differ from the usual, as a JSON object.")] = "{}",
    session: Annotated[bool, typer.Option("--session", help="Keep the day's trading hours.")] = False,
    hold: Annotated[bool, typer.Option("--hold", help="Repeat the last quotes each second with fresh times.")] = False,
    die_with_parent: Annotated[bool, typer.Option("--die-with-parent", help="End with the starting process.")] = False,
) -> None:
    """Run the embedded exchange: a broker to try everything on, with real quotes or made-up ones.

    It prints {"listening": PORT} when it is ready; Ctrl-C or SIGTERM stops it.

    \b
    Example:
      python run_system.py venue --quotes option_usa_minute_goog_20151224_quote_american.zip --speed 10
    """
    try:
        house_rules = msgspec.json.decode(rules, type=Rules)
    except msgspec.DecodeError as error:
        raise BadInput(f"--rules: {error}; known are {', '.join(Rules.__struct_fields__)}") from None
    try:
        options = Options(
            host=host,
            port=port,
            quotes=quotes,
            chain=chain,
            seed=seed,
            speed=speed,
            offset_s=offset_s,
            truth=truth,
            nasty=preset(nasty.value),
            rules=house_rules,
            session=session,
            hold=hold,
            die_with_parent=die_with_parent,
        )
    except ValueError as error:
        raise BadInput(str(error)) from None
    raise typer.Exit(serve(options))
