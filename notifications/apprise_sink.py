"""Sinks by URL through Apprise: webhooks, e-mail and chat services (https://github.com/caronc/apprise/wiki).

Apprise is imported when the first URL is configured: it costs 0.2 s and 35 MB, and most systems that are only tried out
have none.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from messages.records import Severity
from notifications.port import Note, SinkFailed, SinkRefused

if TYPE_CHECKING:
    from apprise import NotifyBase, NotifyType

ANSWER_SHARE: Final = 0.4  # of the time that a sink is given: to connect, and again for each read


class AppriseSink:
    """One service.  ``number`` is its place in the configuration, from 1."""

    def __init__(self, service: NotifyBase, scheme: str, number: int, least: Severity, timeout_ms: int) -> None:
        self._service, self._least = service, least
        self._name = f"{scheme}-{number}"
        service.socket_connect_timeout = service.socket_read_timeout = timeout_ms / 1_000 * ANSWER_SHARE

    @property
    def name(self) -> str:
        return self._name

    @property
    def least(self) -> Severity:
        return self._least

    def send(self, note: Note) -> None:
        try:
            taken = self._service.notify(body=note.body, title=note.title, notify_type=_kind(note.severity))
        except Exception as error:  # a plugin may raise anything; nothing of it may end the thread unheard
            raise SinkFailed(f"{type(error).__name__}: {error}") from error
        if not taken:
            raise SinkFailed("it could not be reached, or it refused")


def open_sinks(urls: Sequence[str], timeout_ms: int) -> tuple[AppriseSink, ...]:
    """The sinks of ``alerts.urls``, in its order; nothing is sent.

    Raises :class:`SinkRefused` for a URL that names no service; what it says does not show the URL, which may hold a
    password.
    """
    if not urls:
        return ()
    from apprise import Apprise, NotifyBase  # noqa: PLC0415 (see above)

    sinks = []
    for number, entry in enumerate(urls, start=1):
        least, url = parse(entry)
        scheme = url.partition("://")[0].lower() if "://" in url else ""
        service = Apprise.instantiate(url) if scheme else None
        if not isinstance(service, NotifyBase):
            what = f"a {scheme}:// URL that is incomplete or that nothing here understands" if scheme else "no URL"
            raise SinkRefused(
                f"alerts.urls: item {number} is {what}; it must be an Apprise URL such as json://host/path, "
                "mailtos://user:password@domain or slack://tokens, with CRITICAL: or WARNING: before it to take no less"
            )
        sinks.append(AppriseSink(service, scheme, number, least, timeout_ms))
    return tuple(sinks)


def parse(entry: str) -> tuple[Severity, str]:
    """The least severity and the URL of one item of ``alerts.urls``; INFO where none is written."""
    word, _, url = entry.partition(":")
    if word in Severity.__members__ and not url.startswith("//"):
        return Severity[word], url
    return Severity.INFO, entry


def _kind(severity: Severity) -> NotifyType:
    from apprise import NotifyType  # noqa: PLC0415 (see above)

    return {
        Severity.INFO: NotifyType.INFO,
        Severity.WARNING: NotifyType.WARNING,
        Severity.CRITICAL: NotifyType.FAILURE,
    }[severity]
