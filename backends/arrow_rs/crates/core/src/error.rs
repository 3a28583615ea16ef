//! One error type, with the place in the file where the trouble is.

use std::fmt;
use std::path::PathBuf;

use parquet::errors::ParquetError;

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, as far as a caller must tell it apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The bytes are not a Parquet file, or contradict themselves.
    Corrupt,
    /// The file asks for more than the caller allows.
    Limit,
    /// Valid Parquet that this reader does not read.
    Unsupported,
    /// The operating system or the store did not give the bytes; holds `errno` where there is one.
    Io(Option<i32>),
    /// The caller asked for something that does not exist.
    Usage,
    /// The reader was made in another process and its threads did not come along.
    Forked,
    /// The reader was closed, or an earlier error ended it.
    Closed,
    /// The caller asked to stop in the middle of a batch.
    Interrupted,
}

/// Where in which file. Every part that is known is printed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    pub file: Option<PathBuf>,
    pub column: Option<String>,
    pub row_group: Option<usize>,
    pub offset: Option<u64>,
}

#[derive(Clone, Debug)]
pub struct Error {
    pub kind: Kind,
    pub message: String,
    pub place: Place,
}

impl Error {
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), place: Place::default() }
    }

    pub fn corrupt(message: impl Into<String>) -> Self {
        Self::new(Kind::Corrupt, message)
    }

    pub fn limit(message: impl Into<String>) -> Self {
        Self::new(Kind::Limit, message)
    }

    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Kind::Usage, message)
    }

    pub fn io(error: &std::io::Error) -> Self {
        Self::new(Kind::Io(error.raw_os_error()), error.to_string())
    }

    /// Fill in the parts of the place that are not known yet: the innermost caller knows best.
    pub fn within(mut self, place: &Place) -> Self {
        let mine = &mut self.place;
        mine.file = mine.file.take().or_else(|| place.file.clone());
        mine.column = mine.column.take().or_else(|| place.column.clone());
        mine.row_group = mine.row_group.or(place.row_group);
        mine.offset = mine.offset.or(place.offset);
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Names and messages can quote bytes of the file: a NUL would cut the text short in C.
        let mut text = self.message.clone();
        let place = &self.place;
        let mut parts = Vec::new();
        if let Some(column) = &place.column {
            parts.push(format!("column '{column}'"));
        }
        if let Some(row_group) = place.row_group {
            parts.push(format!("row group {row_group}"));
        }
        if let Some(offset) = place.offset {
            parts.push(format!("offset {offset}"));
        }
        if let Some(file) = &place.file {
            parts.push(format!("file '{}'", file.display()));
        }
        if !parts.is_empty() {
            text = format!("{text} ({})", parts.join(", "));
        }
        out.write_str(&text.replace('\0', "\\0"))
    }
}

impl std::error::Error for Error {}

impl From<ParquetError> for Error {
    fn from(error: ParquetError) -> Self {
        match error {
            // Our own errors travel through the decoder as its external errors.
            ParquetError::External(inner) => match inner.downcast::<Error>() {
                Ok(own) => *own,
                Err(other) => Self::corrupt(other.to_string()),
            },
            ParquetError::General(message) | ParquetError::EOF(message) => Self::corrupt(message),
            ParquetError::NYI(message) => Self::new(Kind::Unsupported, message),
            other => Self::corrupt(other.to_string()),
        }
    }
}

impl From<Error> for ParquetError {
    fn from(error: Error) -> Self {
        ParquetError::External(Box::new(error))
    }
}
