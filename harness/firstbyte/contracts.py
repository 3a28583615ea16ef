"""What this program reads from disk and from its users: data that must be what a dataclass says.

The dataclass is the schema. A key that it does not have, a key that is missing and a value of another
type are refused in one line that names the place inside the document and what is allowed there:

    variants[1].threads: expected a whole number from 1 or 'all', got 'two'
    variants[0]: unknown key 'option'; did you mean 'options'? (allowed: best, default, ...)

A `Document` is a kind of file that the program itself writes. Its version stands in the file; older
ones are brought up to date by functions that are named after what they do (`upgrade_1_to_2`), one for
each step, and newer ones are refused. To add a field: raise the version and add the step.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from datetime import date
from enum import Enum
from functools import cache
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Generic, Literal, TypeVar, Union, get_args, get_origin
from typing import get_type_hints as hints_of

import msgspec

from firstbyte.errors import HarnessError, nearest

T = TypeVar("T")
Part = TypeVar("Part")
Raw = dict[str, Any]
Upgrade = Callable[[Raw], Raw]
"""From the data of one version to those of the next; the version itself is set by the loader."""

_NATIVE = (date,)
"""Types that TOML has: a text in their place is no date."""
_UNIONS = (Union, UnionType)
_LISTS = (tuple, list, Sequence)
_TABLES = (dict, Mapping)
_WORDS: Mapping[Any, str] = {
    str: "a text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    date: "a date such as 2027-01-31, unquoted",
    **dict.fromkeys(_LISTS, "a list"),
    **dict.fromkeys(_TABLES, "a table"),
}


class ContractError(ValueError):
    """Data are not what the schema says; the message names the place and what is allowed there."""


class NewerError(ContractError):
    """A document was written by a newer version of this program."""


@dataclass(frozen=True)
class Document(Generic[T]):
    """A kind of file that this program writes, and how every version of it is read."""

    shape: type[T]
    version: int
    error: type[HarnessError]
    """What is raised for a file that cannot be read."""
    upgrades: Mapping[int, Upgrade] = field(default_factory=dict)
    """Version -> what makes the next one of it. A version without one is too old to be read."""
    remedy: str = ""
    """What a user can do about a file that is damaged or too old."""
    key: str = "schema"
    """The key under which the version stands."""
    unmarked: int | None = None
    """The version of documents that do not state theirs; None where all do."""

    def read(self, path: Path) -> T:
        """What the file holds. Raises `error` that names the file, the place inside and the reason."""
        try:
            text = path.read_bytes()
        except OSError as error:
            raise self.error(f"cannot read {path}: {error.strerror}") from error
        return self.parse(text, str(path))

    def parse(self, text: bytes | str, where: str) -> T:
        """What the text holds; `where` names it in the `error` that is raised for anything else."""
        return self._made(text, where, lambda raw: conform(raw, self.shape))

    def glance(self, text: bytes | str, where: str, shape: type[Part]) -> Part:
        """Only the fields that `shape` has, at a fraction of the time: nothing else is checked.

        Raises `error`.
        """
        return self._made(text, where, lambda raw: _converted(raw, shape))

    def _made(self, text: bytes | str, where: str, make: Callable[[Raw], Part]) -> Part:
        try:
            return make(self._of_today(read_json(text)))
        except NewerError as error:
            raise self.error(f"cannot read {where}: {error}") from error
        except ContractError as error:
            remedy = f"; {self.remedy}" if self.remedy else ""
            raise self.error(f"cannot read {where}: {error}{remedy}") from error

    def _of_today(self, raw: object) -> Raw:
        """The data with the keys of the version that this program writes."""
        if not isinstance(raw, dict):
            raise ContractError(_mismatch("", dict, raw))
        stated = raw.get(self.key, self.unmarked)
        if type(stated) is not int:
            raise ContractError(_mismatch(self.key, int, stated))
        if stated > self.version:
            raise NewerError(
                f"its {self.key} is {stated}, this firstbyte reads up to {self.version}:"
                " use the newer firstbyte that wrote it"
            )
        for version in range(stated, self.version):
            if version not in self.upgrades:
                raise ContractError(f"its {self.key} {stated} is too old to be read")
            try:
                raw = self.upgrades[version](raw)
            except (LookupError, TypeError, ValueError, AttributeError) as error:
                raise ContractError(f"not what {self.key} {version} was ({error!r})") from error
        return {**raw, self.key: self.version}


def conform(raw: object, shape: type[T]) -> T:
    """Plain data as that class, or whatever type it is. Raises ContractError."""
    _check_keys(raw, shape, "")
    return _converted(raw, shape)


def read_toml(path: Path) -> Raw:
    """A TOML file that a user wrote. Raises OSError, or ContractError where it is no TOML."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ContractError(str(error)) from error


def table(raw: Raw, name: str) -> Raw:
    """The table of that dotted name in a TOML file; empty where there is none. Raises ContractError."""
    for part in name.split("."):
        found = raw.get(part, {})
        if not isinstance(found, dict):
            raise ContractError(_mismatch(part, dict, found))
        raw = found
    return raw


def as_written(shape: type[T], made: T) -> Raw:
    """The fields of `shape` by name, of whatever is derived from it: what a file and its meaning share."""
    return {one.name: getattr(made, one.name) for one in fields(shape)}  # type: ignore[arg-type]


def unknown(kind: str, name: str, allowed: Sequence[str]) -> str:
    """`unknown KIND 'NAME'`, the nearest allowed one, and all of them."""
    return f"unknown {kind} '{name}'{nearest(name, allowed)}"


def read_json(text: bytes | str) -> object:
    """What a JSON text holds. Raises ContractError where it is none, as where it holds a NaN."""
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ContractError(f"no JSON: {error}") from error


def _converted(raw: object, shape: type[T]) -> T:
    try:
        return msgspec.convert(raw, shape, builtin_types=_NATIVE)
    except msgspec.ValidationError as error:
        raise ContractError(_blame(raw, shape, "") or str(error)) from error


def _check_keys(raw: object, shape: Any, where: str) -> None:
    """Refuse keys that are no field and fields that have no key, here and in every part."""
    if not _has_keys(shape):
        return
    if (found := _class_in(shape)) and isinstance(raw, Mapping):
        at = f"{where.removeprefix('.')}: " if where else ""
        allowed, required = _fields(found)
        if surplus := raw.keys() - allowed:
            raise ContractError(at + unknown("key", min(surplus, key=str), sorted(allowed)))
        if missing := required - raw.keys():
            raise ContractError(f"{at}missing {', '.join(sorted(missing))}")
    for step, value, part in _parts(raw, shape, _types_with_keys):
        _check_keys(value, part, where + step)


def _blame(raw: object, shape: Any, where: str) -> str:
    """Which part of the data cannot be converted, and why; empty where all of them can."""
    try:
        msgspec.convert(raw, shape, builtin_types=_NATIVE)
    except msgspec.ValidationError as error:
        for step, value, part in _parts(raw, shape, _types):
            if found := _blame(value, part, where + step):
                return found
        if isinstance(error.__cause__, ValueError):  # a class's own rule, said in __post_init__
            at = f"{where.removeprefix('.')}: " if where else ""
            return f"{at}{error.__cause__}"
        return _mismatch(where.removeprefix("."), shape, raw)
    return ""


def _parts(
    raw: object, shape: Any, types: Callable[[Any], Mapping[str, Any]]
) -> Iterator[tuple[str, object, Any]]:
    """What the data consist of: the step that leads to a part, its value and what it should be.

    `types` gives the fields of a dataclass that are of interest.
    """
    origin, arguments = get_origin(shape), get_args(shape)
    if (found := _class_in(shape)) and isinstance(raw, Mapping):
        for name, part in types(found).items():
            if name in raw:
                yield f".{name}", raw[name], part
    elif origin in _TABLES and isinstance(raw, Mapping):
        for name, value in raw.items():
            yield f".{name}", value, arguments[1]
    elif origin in _LISTS and isinstance(raw, list | tuple):
        several = len(arguments) == 1 or arguments[-1] is ...
        parts = [arguments[0]] * len(raw) if several else arguments
        for number, (value, part) in enumerate(zip(raw, parts, strict=False)):
            yield f"[{number}]", value, part
    elif origin is Annotated or origin in _UNIONS:
        for choice in arguments:
            yield from _parts(raw, choice, types)


@cache
def _class_in(shape: Any) -> Any:
    """The dataclass that a value may be, alone or as one of several choices; None where none is."""
    if isinstance(shape, type) and is_dataclass(shape):
        return shape
    if get_origin(shape) in (Annotated, *_UNIONS):
        return next(filter(None, map(_class_in, get_args(shape))), None)
    return None


@cache
def _has_keys(shape: Any) -> bool:
    """Whether a dataclass is in it anywhere."""
    return _class_in(shape) is not None or any(_has_keys(part) for part in get_args(shape))


@cache
def _fields(shape: Any) -> tuple[frozenset[str], frozenset[str]]:
    """The fields of a dataclass, and those without which it cannot be made."""
    required = (
        one.name
        for one in fields(shape)
        if one.default is MISSING and one.default_factory is MISSING
    )
    return frozenset(one.name for one in fields(shape)), frozenset(required)


@cache
def _types(shape: Any) -> Mapping[str, Any]:
    return hints_of(shape, include_extras=True)


@cache
def _types_with_keys(shape: Any) -> Mapping[str, Any]:
    return {name: part for name, part in _types(shape).items() if _has_keys(part)}


def _mismatch(where: str, shape: Any, got: object) -> str:
    shown = repr(got)
    if len(shown) > 60:
        shown = f"{shown[:57]}..."
    return f"{where + ': ' if where else ''}expected {_in_words(shape)}, got {shown}"


def _in_words(shape: Any) -> str:
    """What a value must be, for the person who wrote another one."""
    origin, arguments = get_origin(shape), get_args(shape)
    if origin is Annotated:
        bounds = [
            f" {word} {bound}"
            for meta in arguments[1:]
            for word, bound in (("from", meta.ge), ("above", meta.gt), ("up to", meta.le))
            if bound is not None
        ]
        return _in_words(arguments[0]) + "".join(bounds)
    if origin in _UNIONS:
        silent = {NoneType, int} if float in arguments else {NoneType}
        return " or ".join(_in_words(one) for one in arguments if one not in silent)
    if origin is Literal:
        return " or ".join(map(repr, arguments))
    if isinstance(shape, type) and issubclass(shape, Enum):
        return " or ".join(repr(one.value) for one in shape)
    if _class_in(shape):
        return _WORDS[dict]
    return _WORDS.get(origin or shape, str(shape))
