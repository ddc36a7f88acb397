"""Headers: an ordered multimap of fields, as they are on the wire (RFC 9110 section 5).

Inside are the bytes that an engine takes and gives, in order and in the case they came in; outside is
text, looked up without case. Fields of a peer are adopted as they are (`Headers.from_raw`): an engine
has validated them. What a program sets is validated here, so that no CR, LF or NUL reaches a wire.
"""

from __future__ import annotations

from collections.abc import ItemsView, KeysView, MutableMapping, ValuesView

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Any, TypeAlias, TypeVar

    Default = TypeVar("Default")
    Text: TypeAlias = str | bytes
    RawHeaders: TypeAlias = list[tuple[bytes, bytes]]
    HeaderTypes: TypeAlias = (
        "Headers"
        | Mapping[str, str]
        | Mapping[bytes, bytes]
        | Mapping[str, Any]
        | Iterable[tuple[str, str]]
        | Iterable[tuple[bytes, bytes]]
    )

# RFC 9110 section 5.6.2: token
TOKEN = b"!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
# RFC 9110 section 5.5: HTAB, SP, visible characters and obs-text. Other controls are invalid.
_VALUE = b"\t" + bytes(range(0x20, 0x7F)) + bytes(range(0x80, 0x100))
_SECRETS = frozenset({b"authorization", b"proxy-authorization", b"cookie", b"set-cookie"})
_MASKED = frozenset({b"authorization", b"proxy-authorization"})

# Names as text, already validated. Programs use few; those a stranger may choose do not push them out.
_known_names: dict[str, bytes] = {}
_KNOWN_NAMES_LIMIT = 512


def encode_name(name: Text) -> bytes:
    """Return a field name as bytes. Raises `ValueError` if it is no token (RFC 9110 section 5.1)."""
    if isinstance(name, str):
        known = _known_names.get(name)
        if known is not None:
            return known
        try:
            encoded = name.encode("ascii")
        except UnicodeEncodeError:
            raise ValueError(f"Header name {name!r} is not ASCII") from None
    elif isinstance(name, bytes):
        encoded = name
    else:
        raise TypeError(f"Header name must be str or bytes, not {type(name)}")
    if not encoded or encoded.translate(None, TOKEN):
        what = f"contains {encoded.translate(None, TOKEN)[:1]!r}" if encoded else "is empty"
        raise ValueError(f"Invalid header name {name!r}: it {what} (RFC 9110 section 5.1)")
    if isinstance(name, str) and len(_known_names) < _KNOWN_NAMES_LIMIT:
        _known_names[name] = encoded
    return encoded


def encode_value(name: bytes, value: Text, encoding: str | None = None) -> bytes:
    """Return a field value as bytes, without the blanks around it.

    Raises `ValueError` naming the field if there is a control character in it (RFC 9110 section 5.5).
    """
    if isinstance(value, str):
        encoded = value.encode(encoding or "utf-8")
        if value.isprintable() and value.isascii():
            return encoded.strip()
    elif isinstance(value, bytes):
        encoded = value
    else:
        raise TypeError(
            f"Header value must be str or bytes, not {type(value)} (of {name.decode('ascii')!r})"
        )
    refused = encoded.translate(None, _VALUE)
    if refused:
        shown = "[secure]" if name.lower() in _SECRETS else repr(value)
        raise ValueError(
            f"Invalid value {shown} of header {name.decode('ascii')!r}: "
            f"it contains {refused[:1]!r} (RFC 9110 section 5.5)"
        )
    return encoded.strip(b" \t")


def encode_fields(headers: HeaderTypes | None, encoding: str | None = None) -> RawHeaders:
    """Return validated fields as an engine takes them, in the order given."""
    if headers is None:
        return []
    # An abstract class asks long whether something is an instance of it: the usual type goes first.
    if type(headers) is not dict and isinstance(headers, Headers):
        return list(headers.raw)
    items: Any = getattr(headers, "items", None)
    pairs: Iterable[tuple[Any, Any]] = headers if items is None else items()  # type: ignore[assignment]  # a union of mappings and pairs
    raw = []
    for name, value in pairs:
        encoded = encode_name(name)
        raw.append((encoded, encode_value(encoded, value, encoding)))
    return raw


class Headers(MutableMapping[str, str]):
    """The fields of a message, by name without case, in order, several of one name allowed.

    As a mapping a name's value is all its values, joined by `", "`; `multi_items()` and `get_list()` keep
    them apart, and `raw` is what goes over the wire.
    """

    __slots__ = ("_raw", "_merged", "_encoding")

    def __init__(self, headers: HeaderTypes | None = None, encoding: str | None = None) -> None:
        """Copy `headers`: a mapping, pairs, or other Headers; text or bytes.

        Raises `ValueError` for a name or a value that HTTP does not allow, `TypeError` for other types.
        """
        self._raw: RawHeaders = encode_fields(headers, encoding)
        self._merged: dict[bytes, bytes] | None = None
        self._encoding = encoding

    @classmethod
    def from_raw(cls, raw: RawHeaders) -> Headers:
        """Adopt the list of an engine: neither copied nor validated, and owned by these Headers now."""
        headers = cls.__new__(cls)
        headers._raw = raw
        headers._merged = None
        headers._encoding = None
        return headers

    @property
    def raw(self) -> RawHeaders:
        """The fields as an engine takes them, in order and in their own case. Not to be changed."""
        return self._raw

    @property
    def encoding(self) -> str:
        """How values become text: ASCII, else UTF-8, else ISO-8859-1, whichever fits all of them."""
        if self._encoding is None:
            self._encoding = "ascii"
            for name, value in self._raw:
                if not (name.isascii() and value.isascii()):
                    self._encoding = "utf-8"
                    try:
                        value.decode("utf-8")
                        name.decode("utf-8")
                    except UnicodeDecodeError:
                        self._encoding = "iso-8859-1"
                        break
        return self._encoding

    @encoding.setter
    def encoding(self, encoding: str) -> None:
        self._encoding = encoding

    # ------------------------------------------------------------------------ as a mapping

    def _index(self) -> dict[bytes, bytes]:
        """Return the values by lower-case name, those of one name joined."""
        merged = self._merged
        if merged is None:
            merged = {}
            for name, value in self._raw:
                key = name.lower()
                if key in merged:
                    merged[key] = b"%b, %b" % (merged[key], value)
                else:
                    merged[key] = value
            self._merged = merged
        return merged

    def _text(self, value: bytes) -> str:
        return value.decode("ascii") if value.isascii() else value.decode(self.encoding, "replace")

    def __getitem__(self, name: str) -> str:
        value = self._index().get(_key(name))
        if value is None:
            raise KeyError(name)
        return value.decode("ascii") if value.isascii() else self._text(value)

    def get(self, name: str, default: Any = None) -> Any:
        """Return the value of a name, several joined by `", "`, or `default`."""
        value = self._index().get(_key(name))
        if value is None:
            return default
        return value.decode("ascii") if value.isascii() else self._text(value)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, (str, bytes)) and _key(name) in self._index()

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())

    def __len__(self) -> int:
        return len(self._raw)

    def __bool__(self) -> bool:
        return bool(self._raw)

    def keys(self) -> KeysView[str]:
        """Return the names in lower case, each once."""
        return {self._text(name): None for name in self._index()}.keys()

    def values(self) -> ValuesView[str]:
        """Return the values, those of one name joined by `", "`."""
        return dict(self.items()).values()

    def items(self) -> ItemsView[str, str]:
        """Return names in lower case with values, those of one name joined by `", "`."""
        text = self._text
        return {text(name): text(value) for name, value in self._index().items()}.items()

    def multi_items(self) -> list[tuple[str, str]]:
        """Return every field by itself: its name in lower case, and its value."""
        text = self._text
        return [(text(name.lower()), text(value)) for name, value in self._raw]

    def get_list(self, name: str, split_commas: bool = False) -> list[str]:
        """Return every value of a name, split at their commas too if told so (RFC 9110 section 5.6.1)."""
        key = _key(name)
        values = [self._text(value) for field, value in self._raw if field.lower() == key]
        if not split_commas:
            return values
        return [part.strip() for value in values for part in value.split(",")]

    # ----------------------------------------------------------------------------- changing

    def __setitem__(self, name: str, value: str) -> None:
        """Set the only value of a name: in the first one's place, or at the end."""
        field = encode_name(name)
        encoded = encode_value(field, value, self._encoding)
        key = field.lower()
        if key in self._index():
            place = next(i for i, (other, _) in enumerate(self._raw) if other.lower() == key)
            tail = [pair for pair in self._raw[place + 1 :] if pair[0].lower() != key]
            self._raw[place:] = [(field, encoded), *tail]
            self._merged = None
        else:
            self._raw.append((field, encoded))
            if self._merged is not None:
                self._merged[key] = encoded
        if not encoded.isascii():
            self._encoding = None

    def __delitem__(self, name: str) -> None:
        key = _key(name)
        if key not in self._index():
            raise KeyError(name)
        self._raw[:] = [pair for pair in self._raw if pair[0].lower() != key]
        self._merged = None

    def add(self, name: str, value: str) -> None:
        """Add a field at the end, whether or not there are others of its name."""
        field = encode_name(name)
        encoded = encode_value(field, value, self._encoding)
        self._raw.append((field, encoded))
        self._merged = None
        if not encoded.isascii():
            self._encoding = None

    def update(self, headers: HeaderTypes | None = None, /, **fields: str) -> None:  # type: ignore[override]  # pairs of bytes too
        """Take over fields: each name given loses the values it had."""
        new = Headers(headers)
        for name, value in fields.items():
            new[name] = value
        replaced = new._index()
        self._raw[:] = [pair for pair in self._raw if pair[0].lower() not in replaced] + new._raw
        self._merged = None
        self._encoding = None

    def copy(self) -> Headers:
        """Return Headers of their own with the same fields."""
        headers = Headers.from_raw(list(self._raw))
        headers._encoding = self._encoding
        return headers

    # ------------------------------------------------------------------------- as an object

    def __eq__(self, other: object) -> bool:
        """Compare fields, in any order, names without case."""
        if not isinstance(other, Headers):
            try:
                other = Headers(other)  # type: ignore[arg-type]  # whatever can be made into Headers
            except (TypeError, ValueError):
                return False
        return sorted((name.lower(), value) for name, value in self._raw) == sorted(
            (name.lower(), value) for name, value in other._raw
        )

    __hash__ = None  # type: ignore[assignment]  # mutable

    def __repr__(self) -> str:
        """Show the fields, but not what authorizes."""
        encoding = "" if self.encoding == "ascii" else f", encoding={self.encoding!r}"
        items = [
            (name, "[secure]" if name.encode() in _MASKED else value)
            for name, value in self.multi_items()
        ]
        by_name = dict(items)
        shown = repr(by_name) if len(by_name) == len(items) else repr(items)
        return f"{type(self).__name__}({shown}{encoding})"

    def __getstate__(self) -> tuple[RawHeaders, str | None]:
        return self._raw, self._encoding

    def __setstate__(self, state: tuple[RawHeaders, str | None]) -> None:
        self._raw, self._encoding = state
        self._merged = None


def without_content_length(raw: RawHeaders) -> RawHeaders:
    """Return the fields but for Content-Length.

    A 204 must not have it (RFC 9110 section 8.6), and with it no trailers follow in HTTP/1.1 (RFC 9112
    section 7.1).
    """
    return [field for field in raw if field[0].lower() != b"content-length"]


def _key(name: Text) -> bytes:
    """Return the bytes that a name is indexed by."""
    if isinstance(name, str):
        return name.lower().encode("latin-1", "replace")
    return name.lower()
