"""Thespian's TCP transport, kept on the loopback interface.

As it ships, it listens on every interface and believes whatever pickle it receives.  Its messages are for processes of
this machine only, so every listening socket is bound to 127.0.0.1 (with ``THESPIAN_BASE_IPADDR`` for what it tells
others of itself).
"""

from __future__ import annotations

from thespian.system.transport import IPBase


def bind_to_loopback() -> None:
    """Bind every socket of this process, and of what it forks, to the address that it announces."""
    IPBase.IPActorAddress.bindArgs = property(lambda address: (address.sockname,))
