"""SQLite's view of a :class:`simulation.disk.medium.Medium`, through apsw's VFS.

The file system declares what SQLite's own unix layer declares by default: a write does not damage the bytes beside it.
"""

from __future__ import annotations

from itertools import count
from typing import Final

import apsw

from simulation.disk.medium import CREATE, DELETE, DELETE_FOR_GOOD, SYNC, TRUNCATE, WRITE, Call, Medium

SECTOR_SIZE: Final = 4096
_numbers = count()


class MediumFile:
    """One open file; its methods are SQLite's."""

    def __init__(self, medium: Medium, name: str) -> None:
        self._medium, self._name = medium, name

    def xRead(self, amount: int, offset: int) -> bytes:  # noqa: N802
        return bytes(self._medium.files[self._name][offset : offset + amount])

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802
        self._medium.do(Call(WRITE, self._name, offset, bytes(data)))

    def xTruncate(self, size: int) -> None:  # noqa: N802
        self._medium.do(Call(TRUNCATE, self._name, size))

    def xSync(self, _flags: int) -> None:  # noqa: N802
        self._medium.do(Call(SYNC, self._name))

    def xFileSize(self) -> int:  # noqa: N802
        return len(self._medium.files[self._name])

    def xLock(self, _level: int) -> None:  # noqa: N802
        """One connection: nobody to lock out."""

    def xUnlock(self, _level: int) -> None:  # noqa: N802
        """See xLock."""

    def xCheckReservedLock(self) -> bool:  # noqa: N802
        return False

    def xFileControl(self, _operation: int, _pointer: int) -> bool:  # noqa: N802
        return False

    def xSectorSize(self) -> int:  # noqa: N802
        return SECTOR_SIZE

    def xDeviceCharacteristics(self) -> int:  # noqa: N802
        return apsw.SQLITE_IOCAP_POWERSAFE_OVERWRITE

    def xClose(self) -> None:  # noqa: N802
        """Closing makes nothing durable."""


class MediumVFS(apsw.VFS):
    """Registers itself under :attr:`name` as long as it is referred to."""

    def __init__(self, medium: Medium) -> None:
        self.name = f"medium-{next(_numbers)}"
        self._medium = medium
        super().__init__(self.name, "unix")

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:  # noqa: N802
        path = name.filename() if isinstance(name, apsw.URIFilename) else name
        if path is None:
            raise apsw.CantOpenError("the journal needs no temporary files")
        if path not in self._medium.files:
            self._medium.do(Call(CREATE, path))
        flags[1] = flags[0]
        return MediumFile(self._medium, path)  # type: ignore[return-value]

    def xAccess(self, pathname: str, _flags: int) -> bool:  # noqa: N802
        return pathname in self._medium.files

    def xDelete(self, filename: str, sync_directory: bool) -> None:  # noqa: N802
        if filename in self._medium.files:
            self._medium.do(Call(DELETE_FOR_GOOD if sync_directory else DELETE, filename))

    def xFullPathname(self, name: str) -> str:  # noqa: N802
        return name
