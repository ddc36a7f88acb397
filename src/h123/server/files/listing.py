"""What a directory holds: as a page for people and as JSON for programs.

The JSON is one object:

    {"path": "/docs/",                 the directory's path, decoded
     "truncated": false,               true if there were more entries than are listed
     "entries": [{"name": "a b.txt",   decoded; bytes that are no UTF-8 became U+FFFD
                  "url": "a%20b.txt",  relative to the directory, exact; ends with a slash for a directory
                  "type": "file",      or "directory"
                  "size": 120,         bytes; null for a directory
                  "modified": "2024-05-06T07:08:09Z"}]}

Both are made a few hundred entries at a time while they are sent, so that a directory of a hundred thousand
neither fills the memory with text nor keeps the event loop from others for long.
"""

from __future__ import annotations

import os
import re
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from html import escape
from json import dumps
from operator import attrgetter

from ...message.body import DualByteStream
from .folder import Folder, NotFound, Opened, quote_name
from .media_types import media_type
from .page import page_head

BATCH = 256
"""Entries a piece of content."""

_DIGITS = re.compile("([0-9]+)", re.ASCII)
_ARCHIVES = ("zip", "gzip", "x-tar", "zstd", "x-xz", "x-bzip2", "x-7z-compressed", "epub+zip")
_COLUMNS = (("name", "Name"), ("size", "Size"), ("modified", "Modified (UTC)"))
ORDERS = frozenset({"name", "-name", "size", "-size", "modified", "-modified"})
"""What `?sort=` takes. A minus turns the order around; folders always come first."""


class Entry:
    """One file or directory of a listing. `size` is -1 for a directory; `modified` is seconds since 1970."""

    __slots__ = ("name", "size", "modified")

    def __init__(self, name: bytes, size: int, modified: int) -> None:
        self.name = name
        self.size = size
        self.modified = modified

    @property
    def is_directory(self) -> bool:
        """Whether it is a directory."""
        return self.size < 0

    @property
    def text(self) -> str:
        """The name for people: what is no UTF-8 becomes U+FFFD."""
        return self.name.decode("utf-8", "replace")

    @property
    def url(self) -> str:
        """A relative reference that means exactly this entry."""
        return quote_name(self.name) + ("/" if self.size < 0 else "")


class Directory:
    """A directory's entries, sorted. `path` is its decoded path, with a slash at both ends.

    `folders` is how many of them are directories, `size` the bytes of all files together.
    """

    __slots__ = ("path", "entries", "truncated", "order", "folders", "size")

    def __init__(self, path: str, entries: list[Entry], *, truncated: bool, order: str) -> None:
        self.path = path
        self.entries = entries
        self.truncated = truncated
        self.order = order
        # Counted here, in the thread that reads, and not in the event loop.
        file_sizes = [entry.size for entry in entries if entry.size >= 0]
        self.folders = len(entries) - len(file_sizes)
        self.size = sum(file_sizes)


class ListingStream(DualByteStream):
    """A listing's text, from the strings that it is made of."""

    __slots__ = ("_pieces",)

    def __init__(self, pieces: Iterator[str]) -> None:
        self._pieces = pieces

    def __iter__(self) -> Iterator[bytes]:
        """Give the listing a few hundred entries at a time; once."""
        return (piece.encode("utf-8", "replace") for piece in self._pieces)


def read_directory(
    folder: Folder, names: Sequence[bytes], order: str, most_entries: int
) -> Directory:
    """Return what may be seen of the entries of the directory with this path.

    Each is what a request for it would find. This waits for the disk, so it is to be called in a thread.
    Raises `NotFound`, and `OSError`.
    """
    # Found again here: a descriptor lent to a thread could be closed, and its number used again, under it.
    with folder.find(names) as directory:
        entries, truncated = _read(folder, directory, most_entries)
    _sort(entries, order)
    path = "".join(["/", *(name.decode("utf-8", "replace") + "/" for name in names)])
    return Directory(path, entries, truncated=truncated, order=order)


def _read(folder: Folder, directory: Opened, most_entries: int) -> tuple[list[Entry], bool]:
    entries: list[Entry] = []
    truncated = False
    descriptor = directory.open()
    try:
        with os.scandir(descriptor) as found:
            for item in found:
                if item.name[0] == "." or (entry := _entry(folder, directory, item)) is None:
                    continue
                if len(entries) == most_entries:
                    truncated = True
                    break
                entries.append(entry)
    finally:
        os.close(descriptor)
    return entries, truncated


def _entry(folder: Folder, directory: Opened, item: os.DirEntry[str]) -> Entry | None:
    name = os.fsencode(item.name)
    try:
        if item.is_symlink():  # it says nothing about what lies outside
            with folder.find((name,), within=directory) as target:
                status = target.status
        else:
            status = item.stat(follow_symlinks=False)
    except (OSError, NotFound):  # gone meanwhile, or not to be seen
        return None
    if stat.S_ISDIR(status.st_mode):
        return Entry(name, -1, int(status.st_mtime))
    if stat.S_ISREG(status.st_mode):
        return Entry(name, status.st_size, int(status.st_mtime))
    return None


def _sort(entries: list[Entry], order: str) -> None:
    entries.sort(key=_by_name)
    key: Callable[[Entry], object] = _by_name
    if order[-4:] == "size":
        key = attrgetter("size")
    elif order[-8:] == "modified":
        key = attrgetter("modified")
    if order != "name":
        entries.sort(key=key, reverse=order[0] == "-")  # type: ignore[arg-type]  # each key is of one type
    entries.sort(key=_after_directories)


def _after_directories(entry: Entry) -> bool:
    return entry.size >= 0


def _by_name(entry: Entry) -> tuple[list[tuple[int, str]], bytes]:
    """As people sort: without regard to case, and `file2` before `file10`."""
    pieces = _DIGITS.split(entry.text.casefold())
    # Digits stand at the odd places. A number's length, then its digits, compare as the number does.
    return [
        (len(digits := piece.lstrip("0")), digits) if place % 2 else (0, piece)
        for place, piece in enumerate(pieces)
    ], entry.name


# ---------------------------------------------------------------------------------------- JSON


def json_listing(directory: Directory) -> Iterator[str]:
    """Yield the listing as JSON, in pieces."""
    truncated = "true" if directory.truncated else "false"
    yield f'{{"path":{dumps(directory.path)},"truncated":{truncated},"entries":['
    entries = directory.entries
    for start in range(0, len(entries), BATCH):
        yield ("," if start else "") + ",".join(map(_json_entry, entries[start : start + BATCH]))
    yield "]}\n"


def _json_entry(entry: Entry) -> str:
    kind, size = ("directory", "null") if entry.is_directory else ("file", str(entry.size))
    return (
        f'\n{{"name":{dumps(entry.text)},"url":"{entry.url}","type":"{kind}","size":{size},'
        f'"modified":"{_timestamp(entry.modified)}"}}'
    )


# ---------------------------------------------------------------------------------------- HTML


def html_listing(directory: Directory) -> Iterator[str]:
    """Yield the listing as a page, in pieces."""
    yield page_head(directory.path) + (
        f"<main>\n<h1>{_breadcrumb(directory.path)}</h1>\n<p>{_summary(directory)}</p>\n"
        f"<table>\n<thead><tr>{_column_heads(directory.order)}</tr></thead>\n<tbody>\n"
    )
    if directory.path != "/":
        yield '<tr><td><a class="up" href="../">Parent folder</a></td><td></td><td></td></tr>\n'
    entries = directory.entries
    if not entries:
        yield '<tr><td class="none" colspan="3">This folder is empty.</td></tr>\n'
    for start in range(0, len(entries), BATCH):
        yield "".join(map(_row, entries[start : start + BATCH]))
    yield "</tbody>\n</table>\n</main>\n</html>\n"


def _row(entry: Entry) -> str:
    name = f"<bdi>{_shown(entry.text)}</bdi>"
    if entry.is_directory:
        size = "<td></td>"
    else:
        size = f'<td title="{entry.size:,} bytes">{human_size(entry.size)}</td>'
    return (
        f'<tr><td><a class="{_icon(entry)}" href="{entry.url}">{name}</a></td>{size}'
        f'<td><time datetime="{_timestamp(entry.modified)}">'
        f"{_shown_time(entry.modified)}</time></td></tr>\n"
    )


def _breadcrumb(path: str) -> str:
    names = [name for name in path.split("/") if name]
    links = []
    for place, name in enumerate(["", *names]):
        up = "../" * (len(names) - place)
        shown = f"<bdi>{_shown(name)}</bdi>" if name else "Home"
        links.append(f'<a href="{up}">{shown}</a>' if up else shown)
    return "<i>/</i>".join(links)


def _summary(directory: Directory) -> str:
    folders = directory.folders
    files = len(directory.entries) - folders
    counts = [_count(folders, "folder")] if folders else []
    if files or not folders:
        counts.append(f"{_count(files, 'file')}, {human_size(directory.size)}")
    more = ". There are more, which are not listed" if directory.truncated else ""
    return ", ".join(counts) + more


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _column_heads(order: str) -> str:
    heads = []
    for column, title in _COLUMNS:
        if order == column:
            sort, target = ' aria-sort="ascending"', f"-{column}"
        elif order == f"-{column}":
            sort, target = ' aria-sort="descending"', column
        else:
            sort, target = "", column if column == "name" else f"-{column}"  # largest, newest first
        heads.append(f'<th scope="col"{sort}><a href="?sort={target}">{title}</a></th>')
    return "".join(heads)


def _icon(entry: Entry) -> str:
    if entry.is_directory:
        return "folder"
    major, _, minor = media_type(entry.text).partition("/")
    if major == "image":
        return "image"
    if major in ("audio", "video"):
        return "media"
    if major == "text" or minor in ("json", "xml", "yaml", "toml", "pdf"):
        return "text"
    return "archive" if minor in _ARCHIVES else "file"


def _shown(name: str) -> str:
    """Escape a name; characters that can not be seen show as U+FFFD instead of doing something."""
    if not name.isprintable():
        name = "".join(
            [char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in name]
        )
    return escape(name)


def human_size(size: int) -> str:
    """Return bytes as people read them: three digits and a unit."""
    if size < 1024:
        return f"{size} B"
    amount = float(size)
    units = iter(("KiB", "MiB", "GiB", "TiB", "PiB"))
    unit = ""
    while amount >= 999.5:
        amount, unit = amount / 1024, next(units, "EiB")
    return f"{amount:.1f} {unit}" if amount < 99.95 else f"{amount:.0f} {unit}"


def _timestamp(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", _moment(seconds))


def _shown_time(seconds: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M", _moment(seconds))


def _moment(seconds: int) -> time.struct_time:
    # A file system can say anything; years past 9999 are in nobody's format.
    return time.gmtime(seconds if 0 <= seconds < 253402300800 else 0)
