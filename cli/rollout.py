"""``rollout``: which share of the new groups goes live, and how to change it while the system runs."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Any

import typer

from cli import control, journals
from cli.options import AsJson, ConfigFile, configuration
from cli.problems import BadInput, CommandFailed
from cli.render import print_json, print_lines, print_table, when
from config.paths import all_journal_paths, rollout_log_path
from config.realms import realms
from config.schema import Config
from domain.groups import GroupOutcome
from domain.rollout import Realm, realm_of_cell
from storage.rollout_log import RolloutLog
from supervisors.routing import NotRouted, cell_of_submitted, home


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("rollout")(rollout)


def rollout(
    share: Annotated[
        int | None,
        typer.Argument(metavar="[SHARE]", min=0, max=100, help="Per cent of the new groups; without it: show."),
    ] = None,
    by: Annotated[str, typer.Option("--by", metavar="NAME", help="Who says so; it is recorded.")] = "",
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; it is recorded.")] = "",
    config: ConfigFile = None,
    as_json_document: AsJson = False,
) -> None:
    """Show how much of the new goes live, or change it.

    A group goes live or to paper by its id, and stays there: what is live at 10 is live at 50.  With a lower share no
    group is moved; the live ones go on to their end, and this command says how many are still open.

    \b
    Example:
      python run_system.py rollout 50 --by maria --reason "a week at 10 without an alert"
    """
    settings = configuration(config)
    if share is None:
        found = _standing(settings)
        if as_json_document:
            print_json(found)
        else:
            _show(found)
        return
    if not by.strip() or not reason.strip():
        raise BadInput("a change of the share needs --by and --reason; both are recorded")
    request = control.rollout(share, by.strip(), reason.strip())
    answer = control.ask(settings.system.journal_dir, request)
    if as_json_document:
        print_json({"ok": True} | answer)
    else:
        print_lines([str(answer.get("text", ""))])


def route(config: Config, group_id: str) -> int:
    """The cell of this group if it were submitted now.  Raises ``CommandFailed`` when it would go nowhere."""
    try:
        return cell_of_submitted(group_id, home(config.system.journal_dir, group_id), _share(config), config)
    except NotRouted as refusal:
        raise CommandFailed(str(refusal)) from None


def _share(config: Config) -> int:
    found: int = _standing(config, count=False)["live_share_pct"]
    return found


def _standing(config: Config, *, count: bool = True) -> dict[str, Any]:
    """The mode, the share in force, its history, and the groups of each realm."""
    log = RolloutLog(rollout_log_path(config.system.journal_dir), config.rollout.live_share_pct)
    mode = config.rollout.mode
    groups: Counter[tuple[str, bool]] = Counter()
    if count and all_journal_paths(config.system.journal_dir):
        for group in journals.groups(config):
            groups[realm_of_cell(group.cell).value, group.outcome is GroupOutcome.OPEN] += 1
    return {
        "mode": mode,
        "live_share_pct": {"live": 100, "paper": 0}.get(mode, log.share),
        "configured_pct": config.rollout.live_share_pct,
        "realms": {
            realm.value: {
                "runs": realm in realms(config),
                "open": groups[realm.value, True],
                "ended": groups[realm.value, False],
            }
            for realm in Realm
        },
        "changes": [
            {"at_host_ns": c.at_host_ns, "before": c.before, "live_share_pct": c.live_share_pct, "by": c.by,
             "reason": c.reason}
            for c in log.changes
        ],
    }  # fmt: skip


def _show(found: dict[str, Any]) -> None:
    share, mode = found["live_share_pct"], found["mode"]
    source = {"live": "live", "paper": "paper"}.get(mode, "rollout")
    print_lines([f"rollout.mode is {source}: {share} % of the new groups go live, {100 - share} % to paper"])
    print_table(
        "Groups",
        ["realm", "takes new groups", "open", "ended"],
        [
            (name, "yes" if _takes(name, share, realm["runs"]) else "no", realm["open"], realm["ended"])
            for name, realm in found["realms"].items()
        ],
    )
    print_table(
        "Changes of the share",
        ["at", "from", "to", "by", "reason"],
        [(when(c["at_host_ns"]), c["before"], c["live_share_pct"], c["by"], c["reason"]) for c in found["changes"]],
    )


def _takes(realm: str, share: int, runs: bool) -> bool:
    return runs and (share > 0 if realm == Realm.LIVE.value else share < 100)
