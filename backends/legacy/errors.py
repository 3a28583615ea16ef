"""What can be wrong with an LSHD file, one exception for each."""

from __future__ import annotations


class LshdError(Exception):
    """Base of all errors about the content of an LSHD file."""


class BadMagicError(LshdError):
    """A part does not begin or end with its mark: not an LSHD file, or a wrong offset."""


class VersionError(LshdError):
    """The file says a version that this reader does not know."""


class FlagsError(LshdError):
    """A flag is set that this reader does not know."""


class PickleRefusedError(FlagsError):
    """The rows are pickled: unpickling runs code from the file, so they are never read."""


class ChecksumError(LshdError):
    """Stored and computed SHA-1 or CRC-32 differ."""


class TruncatedError(LshdError):
    """The file ends before what it announces."""


class StructureError(LshdError):
    """Lengths, counts or offsets in the file contradict one another."""


class DecodeError(LshdError):
    """Bytes that should be zlib, msgpack or JSON are not."""


class RecordTooLargeError(LshdError):
    """A record does not fit the 32-bit length of a block. Raised when writing."""
