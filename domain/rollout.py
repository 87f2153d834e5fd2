"""Live or paper: which of the two a group belongs to, and which cells are whose.

The cells of the two realms have numbers of their own, for ever: a cell's number is one digit of its orders' ids, so
that an order tells its realm by itself, also to a process that has forgotten everything.  Ids of paper orders begin
with ``LKP`` to ``LKZ``.
"""

from __future__ import annotations

from enum import Enum
from hashlib import blake2b

from domain.groups import cell_of
from domain.plans import home_cell

FIRST_PAPER_CELL = 25  # "P" as a base-36 digit
MAX_CELLS = 36  # of both realms: a cell's number is one base-36 digit
BUCKETS = 100


class Realm(Enum):
    """Where the orders of a group go."""

    LIVE = "live"  # to the broker
    PAPER = "paper"  # to an embedded exchange of the system's own


OTHER = {Realm.LIVE: Realm.PAPER, Realm.PAPER: Realm.LIVE}
FIRST_CELL = {Realm.LIVE: 0, Realm.PAPER: FIRST_PAPER_CELL}


def cells_in(realm: Realm, count: int) -> range:
    """The numbers of the cells of a realm that has so many."""
    return range(FIRST_CELL[realm], FIRST_CELL[realm] + count)


def realm_of_cell(cell: int) -> Realm:
    """The realm that this cell has always belonged to."""
    return Realm.PAPER if cell >= FIRST_PAPER_CELL else Realm.LIVE


def realm_of_order(client_order_id: str) -> Realm | None:
    """The realm that this order was made for; ``None`` for an id that is not ours."""
    cell = cell_of(client_order_id)
    return None if cell is None else realm_of_cell(cell)


def is_first_cell(cell: int) -> bool:
    """Whether this is the cell that speaks for its realm: of what concerns an account as a whole, or is foreign."""
    return cell in FIRST_CELL.values()


def bucket(group_id: str) -> int:
    """0 to 99, the same for ever for the same id: nothing but the id goes into it."""
    digest = blake2b(group_id.encode(), digest_size=8, person=b"rollout").digest()
    return int.from_bytes(digest) % BUCKETS


def realm_for(group_id: str, live_share_pct: int) -> Realm:
    """Where a new group goes.  What is live at a share is live at every higher one."""
    return Realm.LIVE if bucket(group_id) < live_share_pct else Realm.PAPER


def leader(term: int) -> Realm:
    """The realm that enters a strategy's next group in this term; each change of hands begins another one."""
    return Realm.PAPER if term % 2 else Realm.LIVE


def cell_for(group_id: str, realm: Realm, cells: int) -> int:
    """The cell that a new group goes to in a realm of so many cells, and that a strategy lives in by its name."""
    return FIRST_CELL[realm] + home_cell(group_id, cells)
