"""Query parameters and forms: `application/x-www-form-urlencoded` (WHATWG URL standard, section 5)."""

from __future__ import annotations

from collections.abc import Mapping

from . import percent

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import ItemsView, Iterator, KeysView, Sequence, ValuesView
    from typing import Any, TypeAlias

    Primitive: TypeAlias = str | int | float | bool | None
    QueryParamTypes: TypeAlias = (
        "QueryParams"
        | Mapping[str, Primitive | Sequence[Primitive]]
        | Sequence[tuple[str, Primitive]]
        | str
        | bytes
    )


def to_text(value: object) -> str:
    """Return a parameter's value as text: `true` and `false`, nothing for None, else `str(value)`."""
    if isinstance(value, str):
        return value
    if value is True:
        return "true"
    if value is False:
        return "false"
    if value is None:
        return ""
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape")
    return str(value)


def form_pairs(form: Any) -> list[tuple[str, str]]:
    """Return a mapping or pairs as pairs of text; a value that is a list or tuple gives several."""
    pairs = []
    for name, value in form.items() if hasattr(form, "items") else form:
        key = to_text(name)
        if isinstance(value, (list, tuple)):
            pairs += [(key, to_text(each)) for each in value]
        else:
            pairs.append((key, to_text(value)))
    return pairs


def encode_pairs(pairs: Sequence[tuple[str, str]]) -> str:
    """Return pairs as a form is written: `a=1&b=two+words`."""
    return "&".join([f"{_encode(name)}={_encode(value)}" for name, value in pairs])


def parse_pairs(text: str) -> list[tuple[str, str]]:
    """Return the pairs of a form, those without a value too."""
    pairs = []
    for part in text.split("&"):
        if part:
            name, _, value = part.replace("+", " ").partition("=")
            pairs.append((percent.decode(name), percent.decode(value)))
    return pairs


def _encode(text: str) -> str:
    octets = text.encode("utf-8", "surrogateescape")
    if not octets.translate(None, percent.FORM_SAFE):
        return text
    # A blank is a plus: let it through as one that nothing else can be.
    return percent.encode_bytes(octets, percent.FORM_SAFE + b" ").replace(" ", "+")


class QueryParams(Mapping[str, str]):
    """Query parameters: an immutable multimap in order. Changing gives other QueryParams.

    Made from a query string, a mapping (a list as value gives several parameters), pairs, or keywords.
    """

    __slots__ = ("_dict",)

    def __init__(self, *args: QueryParamTypes | None, **kwargs: Any) -> None:
        """Read parameters. Raises `TypeError` for several arguments, or one beside keywords."""
        if len(args) > 1 or (args and kwargs):
            raise TypeError("QueryParams takes one argument, or keywords")
        value = args[0] if args else kwargs
        self._dict: dict[str, list[str]] = {}
        if isinstance(value, QueryParams):
            self._dict = {name: list(values) for name, values in value._dict.items()}
            return
        if value is None:
            pairs = []
        elif isinstance(value, (str, bytes)):
            text = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
            pairs = parse_pairs(text[1:] if text[:1] == "?" else text)
        else:
            pairs = form_pairs(value)
        for name, each in pairs:
            self._dict.setdefault(name, []).append(each)

    def keys(self) -> KeysView[str]:
        """Return the names, each once."""
        return self._dict.keys()

    def values(self) -> ValuesView[str]:
        """Return the first value of every name."""
        return {name: values[0] for name, values in self._dict.items()}.values()

    def items(self) -> ItemsView[str, str]:
        """Return every name with its first value."""
        return {name: values[0] for name, values in self._dict.items()}.items()

    def multi_items(self) -> list[tuple[str, str]]:
        """Return every name with every value."""
        return [(name, value) for name, values in self._dict.items() for value in values]

    def get(self, name: str, default: Any = None) -> Any:
        """Return the first value of a name, or `default`."""
        values = self._dict.get(name)
        return values[0] if values else default

    def get_list(self, name: str) -> list[str]:
        """Return every value of a name."""
        return list(self._dict.get(name, ()))

    def set(self, name: str, value: Primitive = None) -> QueryParams:
        """Return parameters in which this is the only value of its name."""
        params = QueryParams(self)
        params._dict[name] = [to_text(value)]
        return params

    def add(self, name: str, value: Primitive = None) -> QueryParams:
        """Return parameters with one value more for this name."""
        params = QueryParams(self)
        params._dict.setdefault(name, []).append(to_text(value))
        return params

    def remove(self, name: str) -> QueryParams:
        """Return parameters without this name."""
        params = QueryParams(self)
        params._dict.pop(name, None)
        return params

    def merge(self, params: QueryParamTypes | None = None) -> QueryParams:
        """Return parameters in which each name of `params` has the values given there."""
        merged = QueryParams(self)
        merged._dict.update(QueryParams(params)._dict)
        return merged

    def update(self, params: object = None) -> None:
        """Raise `RuntimeError`: parameters are immutable."""
        raise RuntimeError("QueryParams are immutable: use merge(), which returns others")

    def __setitem__(self, name: str, value: str) -> None:
        raise RuntimeError("QueryParams are immutable: use set(name, value), which returns others")

    def __getitem__(self, name: str) -> str:
        return self._dict[name][0]

    def __contains__(self, name: object) -> bool:
        return name in self._dict

    def __iter__(self) -> Iterator[str]:
        return iter(self._dict)

    def __len__(self) -> int:
        return len(self._dict)

    def __bool__(self) -> bool:
        return bool(self._dict)

    def __hash__(self) -> int:
        return hash(frozenset(self.multi_items()))

    def __eq__(self, other: object) -> bool:
        """Compare parameters, in any order."""
        if not isinstance(other, QueryParams):
            return False
        return sorted(self.multi_items()) == sorted(other.multi_items())

    def __str__(self) -> str:
        return encode_pairs(self.multi_items())

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"
