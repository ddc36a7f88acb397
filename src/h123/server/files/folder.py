"""A folder from which URL paths are opened, and nothing outside of it. RFC 3986 section 3.3, RFC 9110 17.3.

How a path is held inside. The kernel resolves the whole path to a handle that opens nothing (`O_PATH`), then
tells where the thing it found really lies (`/proc/self/fd`), and only what lies in the folder is opened, by that
same handle. So links that stay inside work, also absolute ones; a link that leaves is found out, whichever
component it is, and nothing outside is ever opened: no device is touched, no pipe's other end is woken.
There is no moment between the check and the opening in which somebody could exchange the one for the
other, since both are about one handle and not about a name. Comparing `realpath(name)` before `open(name)`
has that moment. A walk with `O_NOFOLLOW` has not, but would have to resolve links by hand; `openat2` has no
way to allow absolute links that stay inside, and no face in Python.

The folder itself may be a link, exchanged while serving (the usual way to publish a new version of a site):
each path is looked up in what it points to then.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Sequence
from typing import Self

from ...message.percent import FORM_SAFE, decode_bytes, encode_bytes

# RFC 3986's segment without `&`, which HTML would read, and `:`, which could make a name a scheme.
_SEGMENT_SAFE = FORM_SAFE + b"!$'()*+,;=@"
# Names that a file system does not take are names that no file has.
_NO_SUCH_FILE = frozenset({errno.ENAMETOOLONG, errno.ELOOP, errno.EILSEQ, errno.EINVAL})


class NotFound(Exception):
    """No file that may be seen has this path (404)."""


class Opened:
    """Something in the folder: a handle that can be read by nobody yet, and what `stat` says of it.

    It is to be closed, or used in a `with` block.
    """

    __slots__ = ("handle", "status")

    def __init__(self, handle: int, status: os.stat_result) -> None:
        self.handle = handle
        self.status = status

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.handle)

    @property
    def is_directory(self) -> bool:
        """Whether it is a directory."""
        return stat.S_ISDIR(self.status.st_mode)

    def open(self) -> int:
        """Return a descriptor of the very same file or directory, to read from; the caller closes it.

        Raises `PermissionError` and other `OSError`.
        """
        # Never waits: O_NONBLOCK matters for leases; pipes and devices did not come this far.
        return os.open(_link_of(self.handle), os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)


class Folder:
    """The folder at `path`. Raises `OSError` if it is none, or can not be read."""

    __slots__ = ("_path", "_place")

    def __init__(self, path: str | bytes | os.PathLike[str]) -> None:
        self._path = os.path.abspath(os.fsencode(path))
        os.close(os.open(self._path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))
        self._place = self._locate()

    @property
    def path(self) -> str:
        """The folder's absolute path, as it was given."""
        return os.fsdecode(self._path)

    def find(self, names: Sequence[bytes], *, within: Opened | None = None) -> Opened:
        """Return what has this path of names, below the folder or a directory found in it.

        Raises `NotFound` where there is nothing, or nothing to be seen: hidden, outside, or neither a file
        nor a directory; `PermissionError` and other `OSError` where the kernel refuses.
        """
        if not all(map(_may_be_seen, names)):
            raise NotFound
        try:
            if within is None:
                self._follow()
                handle = _handle(b"/".join((self._path, *names)))
            else:
                handle = _handle(b"/".join(names), within.handle)
        except (FileNotFoundError, NotADirectoryError):
            raise NotFound from None
        except OSError as error:
            if error.errno in _NO_SUCH_FILE:
                raise NotFound from None
            raise
        try:
            status = os.fstat(handle)
            if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
                raise NotFound
            if not self._holds(handle):
                raise NotFound
        except BaseException:
            os.close(handle)
            raise
        return Opened(handle, status)

    def _holds(self, handle: int) -> bool:
        where = os.readlink(_link_of(handle)) + b"/"
        _, prefix = self._place
        if where.startswith(prefix):
            return True
        # Outside; unless the folder has been moved as a whole, which its own stat does not tell.
        self._place = self._locate()
        _, moved_to = self._place
        return moved_to != prefix and where.startswith(moved_to)

    def _follow(self) -> None:
        """Notice that the folder's path means another folder now."""
        status = os.stat(self._path)
        if self._place[0] != (status.st_dev, status.st_ino):
            self._place = self._locate()

    def _locate(self) -> tuple[tuple[int, int], bytes]:
        """Return which folder it is, and its real path with a slash. They are only ever changed together."""
        handle = _handle(self._path)
        try:
            status = os.fstat(handle)
            return (status.st_dev, status.st_ino), os.readlink(_link_of(handle)).rstrip(b"/") + b"/"
        finally:
            os.close(handle)


def names_of(path: bytes) -> list[bytes]:
    """Return the decoded names of a URL's path; the last is empty if it ends with a slash.

    It is cut at its slashes and then decoded, once: an encoded slash is part of a name, which no file has, and
    `%252e` means `%2e`. Raises `NotFound` for a path that no file can have: one that does not begin with a
    slash, or has an empty name in its middle (so that each file has one URL, and none like `//host/`).
    """
    if path[:1] != b"/" or b"//" in path:
        raise NotFound
    names = path[1:].split(b"/")
    return [decode_bytes(name) for name in names] if b"%" in path else names


def quote_name(name: bytes) -> str:
    """Return a file's name as a path segment that stands for exactly these bytes, and for no scheme."""
    return encode_bytes(name, _SEGMENT_SAFE)


def _may_be_seen(name: bytes) -> bool:
    """Dot names are hidden, `.` and `..` among them; a slash or NUL is in no name."""
    return bool(name) and name[0] != 0x2E and b"/" not in name and b"\0" not in name


def _handle(path: bytes, directory: int | None = None) -> int:
    return os.open(path, os.O_PATH | os.O_CLOEXEC, dir_fd=directory)


def _link_of(handle: int) -> bytes:
    return b"/proc/self/fd/%d" % handle
