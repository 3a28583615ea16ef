"""Content digests of columns: equal exactly when the values are, whatever their batches and layout.

Each level of nesting feeds two hashes: one over its shape (the length of every value, -1 for null;
for fixed-width values one validity byte) and one over the bytes of the values that are not null.
Both streams run on over batch boundaries, so the boundaries leave no trace. The shape stream fixes
where each value starts, so `"ab", "c"` and `"a", "bc"` differ, and so do null, `""` and `[]`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from firstbyte.errors import CorpusError

DIGEST_VERSION = 1
"""Changes whenever the same values would get another digest; stored digests carry it."""

_SLICE_ROWS = 65_536
"""Rows hashed at a time: it bounds the copies that decoding and widening make."""

_PERSON = b"firstbyte-col-%d" % DIGEST_VERSION
_NANOSECONDS = {"s": 1_000_000_000, "ms": 1_000_000, "us": 1_000, "ns": 1}
_DAY_MS = 86_400_000

Bytes = npt.NDArray[np.generic]


class ColumnDigests:
    """Accumulates one digest per column over the batches of a shard.

    `names` are the columns expected in every batch, in order. What a value is stored as does not
    matter: integers are widened to 64 bits and floats to doubles (every NaN is the same NaN), every
    string, binary and list layout counts as one, dictionaries and run ends are decoded, maps are
    lists of key-value structs, extension types are their storage (booleans of 8 bits are booleans), times
    and timestamps are compared in nanoseconds, and a time zone only says that the values are instants.
    Signed and unsigned 64-bit integers, strings and bytes, naive and zoned timestamps, 0.0 and -0.0 stay
    different.

    Raises CorpusError for repeated names.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._names = list(names)
        repeated = sorted({name for name in self._names if self._names.count(name) > 1})
        if repeated:
            raise CorpusError(f"column names repeat: {', '.join(repeated)}; each must be unique")
        self._columns = [_Column(name) for name in self._names]
        self.rows = 0

    def update(self, batch: pa.RecordBatch) -> None:
        """Add a batch. Raises CorpusError for other columns, or a type changed or unknown."""
        if batch.schema.names != self._names:
            raise CorpusError(f"columns differ: expected {self._names}, got {batch.schema.names}")
        for start in range(0, batch.num_rows, _SLICE_ROWS):
            piece = batch.slice(start, _SLICE_ROWS)
            for column, array in zip(self._columns, piece.columns, strict=True):
                column.update(array)
        self.rows += batch.num_rows

    def hexdigests(self) -> dict[str, str]:
        """Column name -> digest of all rows so far, 32 hexadecimal digits. Ends nothing."""
        return {column.name: column.hexdigest() for column in self._columns}


class _Column:
    """One top-level column. Its type is only known, and only counts, once there is a row."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._node: _Node | None = None
        self._seen_type: pa.DataType | None = None

    def update(self, array: pa.Array) -> None:
        if self._node is None:
            self._node = _node(array.type, self.name)
        elif array.type != self._seen_type:
            kind = _node(array.type, self.name).kind
            if kind != self._node.kind:
                raise CorpusError(
                    f"column '{self.name}' changes its type between batches:"
                    f" expected {self._node.kind}, got {kind}"
                )
        self._seen_type = array.type
        self._node.update(array)

    def hexdigest(self) -> str:
        content = [] if self._node is None else [self._node.kind, *self._node.hexdigests()]
        return _new_hash(json.dumps([self.name, *content]).encode()).hexdigest()


class _Node:
    """One level of a column's type: the base of the four layouts below."""

    def __init__(self, kind: str, *children: _Node) -> None:
        self.kind = kind
        self._children = children
        self._shape = _new_hash()
        self._values = _new_hash()

    def update(self, array: pa.Array) -> None:
        """Add the values of an array in any representation of this kind."""
        array = _plain(array)
        if not len(array):
            return
        if array.null_count:
            valid = pc.is_valid(array).to_numpy(zero_copy_only=False)
            # What lies under a null is arbitrary, so only values that exist go on.
            self._update_dense(valid, array.drop_null())
        else:
            self._update_dense(np.ones(len(array), np.bool_), array)

    def hexdigests(self) -> list[str]:
        """Shape and value digests of this level and then, in order, of the levels below."""
        own = [self._shape.hexdigest(), self._values.hexdigest()]
        return own + [digest for child in self._children for digest in child.hexdigests()]

    def _update_dense(self, valid: npt.NDArray[np.bool_], dense: pa.Array) -> None:
        raise NotImplementedError

    def _add_lengths(self, valid: npt.NDArray[np.bool_], lengths: Bytes) -> None:
        shape = np.full(len(valid), -1, "<i8")
        shape[valid] = lengths
        self._shape.update(shape.data)


class _FixedWidth(_Node):
    def __init__(self, kind: str, encode: Callable[[pa.Array], Bytes]) -> None:
        super().__init__(kind)
        self._encode = encode

    def _update_dense(self, valid: npt.NDArray[np.bool_], dense: pa.Array) -> None:
        self._shape.update(valid.data)
        if len(dense):
            self._values.update(np.ascontiguousarray(self._encode(dense)).data)


class _Text(_Node):
    """Strings and binaries: offsets and bytes."""

    def _update_dense(self, valid: npt.NDArray[np.bool_], dense: pa.Array) -> None:
        if not len(dense):
            self._add_lengths(valid, np.empty(0, "<i8"))
            return
        large = pa.types.is_large_string(dense.type) or pa.types.is_large_binary(dense.type)
        _, offset_buffer, data = dense.buffers()
        width = np.dtype("<i8" if large else "<i4")
        offsets = np.frombuffer(
            offset_buffer, width, count=len(dense) + 1, offset=dense.offset * width.itemsize
        )
        self._add_lengths(valid, np.diff(offsets))
        if data is not None:
            self._values.update(memoryview(data)[int(offsets[0]) : int(offsets[-1])])


class _List(_Node):
    def _update_dense(self, valid: npt.NDArray[np.bool_], dense: pa.Array) -> None:
        self._add_lengths(valid, pc.list_value_length(dense).to_numpy(zero_copy_only=False))
        self._children[0].update(dense.flatten())


class _Struct(_Node):
    def _update_dense(self, valid: npt.NDArray[np.bool_], dense: pa.Array) -> None:
        self._shape.update(valid.data)
        for child, field in zip(self._children, dense.flatten(), strict=True):
            child.update(field)


def _node(kind: pa.DataType, column: str) -> _Node:
    """The accumulator for a type. Raises CorpusError for a type without digest."""
    is_ = pa.types
    if isinstance(kind, pa.Bool8Type):
        return _node(pa.bool_(), column)
    if isinstance(kind, pa.BaseExtensionType):
        return _node(kind.storage_type, column)
    if is_.is_dictionary(kind) or is_.is_run_end_encoded(kind):
        return _node(kind.value_type, column)
    if is_.is_string(kind) or is_.is_large_string(kind) or is_.is_string_view(kind):
        return _Text("utf8")
    if _is_bytes(kind):
        return _Text("binary")
    if is_list(kind):
        child = _node(kind.value_type, column)
        return _List(f"list<{child.kind}>", child)
    if is_.is_map(kind):
        return _node(_map_as_list(kind), column)
    if is_.is_struct(kind):
        children = [_node(field.type, column) for field in kind]
        inner = (f"{json.dumps(f.name)}:{c.kind}" for f, c in zip(kind, children, strict=True))
        return _Struct(f"struct<{','.join(inner)}>", *children)
    return _fixed_width(kind, column)


def _fixed_width(kind: pa.DataType, column: str) -> _FixedWidth:
    is_ = pa.types
    if is_.is_null(kind):
        return _FixedWidth("null", _no_values)
    if is_.is_boolean(kind):
        return _FixedWidth("bool", _booleans)
    if is_.is_uint64(kind):
        return _FixedWidth("uint64", _unsigned)
    if is_.is_integer(kind):
        return _FixedWidth("int64", _integers)
    if is_.is_floating(kind):
        return _FixedWidth("double", _doubles)
    if is_.is_decimal(kind):
        return _FixedWidth(f"decimal({kind.scale})", _decimals)
    if is_.is_date(kind):
        return _FixedWidth("date", _days)
    if is_.is_time(kind):
        return _FixedWidth("time", _clock_ns)
    if is_.is_timestamp(kind):
        return _FixedWidth("timestamp" if kind.tz is None else "instant", _seconds_and_ns)
    if is_.is_duration(kind):
        return _FixedWidth("duration", _seconds_and_ns)
    raise CorpusError(f"column '{column}' holds {kind}, a type without a content digest")


def _is_bytes(kind: pa.DataType) -> bool:
    is_ = pa.types
    return bool(
        is_.is_binary(kind)
        or is_.is_large_binary(kind)
        or is_.is_binary_view(kind)
        or is_.is_fixed_size_binary(kind)
    )


def is_list(kind: pa.DataType) -> bool:
    """Whether values of the type are lists, in any of Arrow's layouts; maps are not."""
    is_ = pa.types
    return bool(
        is_.is_list(kind)
        or is_.is_large_list(kind)
        or is_.is_fixed_size_list(kind)
        or is_.is_list_view(kind)
        or is_.is_large_list_view(kind)
    )


def _map_as_list(kind: pa.MapType) -> pa.ListType:
    return pa.list_(pa.struct([("key", kind.key_type), ("value", kind.item_type)]))


def _plain(array: pa.Array) -> pa.Array:
    """The same values in a layout that has offsets, validity and a drop_null kernel."""
    kind = array.type
    is_ = pa.types
    if isinstance(kind, pa.Bool8Type):
        return array.storage.cast(pa.bool_())
    if isinstance(kind, pa.BaseExtensionType):
        return _plain(array.storage)
    if is_.is_dictionary(kind):
        return _plain(_plain(array.dictionary).take(array.indices))
    if is_.is_run_end_encoded(kind):
        return _plain(pc.run_end_decode(array))
    if is_.is_map(kind):
        return array.cast(_map_as_list(kind))
    if is_.is_string_view(kind):
        return array.cast(pa.large_string())
    if is_.is_binary_view(kind) or is_.is_fixed_size_binary(kind):
        return array.cast(pa.large_binary())
    return array


def _no_values(array: pa.Array) -> Bytes:
    return np.empty(0, np.uint8)


def _booleans(array: pa.Array) -> Bytes:
    return np.asarray(array.to_numpy(zero_copy_only=False))


def _integers(array: pa.Array) -> Bytes:
    return np.asarray(array.to_numpy()).astype("<i8", copy=False)


def _unsigned(array: pa.Array) -> Bytes:
    return np.asarray(array.to_numpy()).astype("<u8", copy=False)


def _doubles(array: pa.Array) -> Bytes:
    values = np.asarray(array.to_numpy())
    with np.errstate(invalid="ignore"):  # a signalling NaN is data here, not a mishap
        doubles = values.astype("<f8", copy=False)
    nan = np.isnan(doubles)
    return np.where(nan, np.float64("nan"), doubles).astype("<f8") if nan.any() else doubles


def _decimals(array: pa.Array) -> Bytes:
    width = array.type.byte_width
    buffer = array.buffers()[1]
    narrow = np.frombuffer(buffer, np.uint8, len(array) * width, array.offset * width)
    narrow = narrow.reshape(len(array), width)
    sign = np.where(narrow[:, -1:] >> 7, np.uint8(255), np.uint8(0))
    return np.hstack([narrow, np.repeat(sign, 32 - width, axis=1)]).ravel()


def _days(array: pa.Array) -> Bytes:
    if pa.types.is_date32(array.type):
        return np.asarray(array.view(pa.int32()).to_numpy()).astype("<i8")
    milliseconds = np.asarray(array.view(pa.int64()).to_numpy())
    if (milliseconds % _DAY_MS).any():
        raise CorpusError("a date64 value holds a time of day; only whole days have a digest")
    return (milliseconds // _DAY_MS).astype("<i8")


def _clock_ns(array: pa.Array) -> Bytes:
    width = pa.int32() if pa.types.is_time32(array.type) else pa.int64()
    ticks = np.asarray(array.view(width).to_numpy()).astype("<i8")
    return ticks * _NANOSECONDS[array.type.unit]


def _seconds_and_ns(array: pa.Array) -> Bytes:
    """Whole seconds and nanoseconds apart: the year 9999 in nanoseconds overflows 64 bits."""
    ticks = np.asarray(array.view(pa.int64()).to_numpy())
    tick_ns = _NANOSECONDS[array.type.unit]
    seconds, rest = np.divmod(ticks, 1_000_000_000 // tick_ns)
    return np.column_stack([seconds, rest * tick_ns]).astype("<i8").ravel()


def _new_hash(data: bytes = b"") -> hashlib.blake2b:
    return hashlib.blake2b(data, digest_size=16, person=_PERSON)
