//! A local file read by position: no shared cursor, so that any number of readers can use one descriptor.

use std::fs::{File, FileType, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileExt, FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::{Buf, Bytes};
use parquet::file::reader::{ChunkReader, Length};

use crate::error::{Error, Kind, Place, Result};

/// What must be unchanged for metadata that was read earlier to still be true.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Stamp {
    pub bytes: u64,
    pub modified_ns: i128,
    /// When anything of it changed last, which no program can set.
    pub changed_ns: i128,
    pub inode: u64,
    pub device: u64,
}

#[derive(Clone, Debug)]
pub struct LocalFile {
    file: Arc<File>,
    path: Arc<Path>,
    stamp: Stamp,
}

impl LocalFile {
    pub fn open(path: impl Into<PathBuf>) -> Result<Self> {
        let path: PathBuf = path.into();
        // Without waiting for whoever writes to it, where it is a pipe.
        let opened = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(&path);
        let opened = opened.and_then(|file| Ok((file.metadata()?, file)));
        let (meta, file) = opened.map_err(|error| Error::io(&error).within(&place(&path)))?;
        if !meta.is_file() {
            return Err(not_a_file(meta.file_type()).within(&place(&path)));
        }
        let stamp = Stamp {
            bytes: meta.len(),
            modified_ns: nanoseconds(meta.mtime(), meta.mtime_nsec()),
            changed_ns: nanoseconds(meta.ctime(), meta.ctime_nsec()),
            inode: meta.ino(),
            device: meta.dev(),
        };
        Ok(Self { file: Arc::new(file), path: path.into(), stamp })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn stamp(&self) -> Stamp {
        self.stamp
    }

    /// Fill `buffer` from `offset`. Interrupted and short reads are carried on with; an early end of the
    /// file is an error that says so.
    pub fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> Result<()> {
        self.file.read_exact_at(buffer, offset).map_err(|error| self.failed(&error, buffer.len(), offset))
    }

    fn failed(&self, error: &io::Error, wanted: usize, offset: u64) -> Error {
        let error = if error.kind() == ErrorKind::UnexpectedEof {
            Error::corrupt(format!(
                "the file ends early: {wanted} bytes wanted, the file had {} when it was opened",
                self.stamp.bytes
            ))
        } else {
            Error::io(error)
        };
        error.within(&Place { offset: Some(offset), ..place(&self.path) })
    }
}

fn nanoseconds(seconds: i64, rest: i64) -> i128 {
    i128::from(seconds) * 1_000_000_000 + i128::from(rest)
}

/// Only regular files can be read by position.
fn not_a_file(kind: FileType) -> Error {
    let (what, number) = if kind.is_dir() {
        ("a directory", libc::EISDIR)
    } else if kind.is_fifo() {
        ("a pipe", libc::ESPIPE)
    } else if kind.is_socket() {
        ("a socket", libc::ESPIPE)
    } else {
        ("a device", libc::ESPIPE)
    };
    Error::new(Kind::Io(Some(number)), format!("not a regular file but {what}"))
}

fn place(path: &Path) -> Place {
    Place { file: Some(path.to_owned()), ..Place::default() }
}

impl Length for LocalFile {
    fn len(&self) -> u64 {
        self.stamp.bytes
    }
}

/// The bytes from one position on, in pieces.
pub struct PositionedRead {
    source: LocalFile,
    at: u64,
    ahead: Bytes,
}

const READ_AHEAD_BYTES: u64 = 64 << 10;

impl io::Read for PositionedRead {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.ahead.is_empty() {
            let left = self.source.stamp.bytes.saturating_sub(self.at).min(READ_AHEAD_BYTES);
            if left == 0 {
                return Ok(0);
            }
            let mut piece = vec![0; left as usize];
            self.source.read_exact_at(&mut piece, self.at).map_err(io::Error::other)?;
            self.at += left;
            self.ahead = piece.into();
        }
        let count = self.ahead.len().min(out.len());
        out[..count].copy_from_slice(&self.ahead[..count]);
        self.ahead.advance(count);
        Ok(count)
    }
}

impl ChunkReader for LocalFile {
    type T = PositionedRead;

    fn get_read(&self, start: u64) -> parquet::errors::Result<Self::T> {
        Ok(PositionedRead { source: self.clone(), at: start, ahead: Bytes::new() })
    }

    fn get_bytes(&self, start: u64, length: usize) -> parquet::errors::Result<Bytes> {
        let end = start.checked_add(length as u64);
        if end.is_none_or(|end| end > self.stamp.bytes) {
            return Err(Error::corrupt(format!("{length} bytes wanted, beyond the end of the file"))
                .within(&Place { offset: Some(start), ..place(&self.path) })
                .into());
        }
        let mut bytes = vec![0; length];
        self.read_exact_at(&mut bytes, start)?;
        Ok(bytes.into())
    }
}
