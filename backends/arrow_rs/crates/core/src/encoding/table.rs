//! Which encodings there are: another one is a file of its own and a line here.

use parquet::basic::Encoding;

use super::decoder::{ByteArraySink, NumberSink, Open, Sink};
use super::{dictionary, is_dictionary, plain};

pub fn of_numbers<S: NumberSink>(encoding: Encoding) -> Option<Open<S>> {
    match encoding {
        Encoding::PLAIN => Some(|values| Ok(Box::new(plain::Numbers::new(values)))),
        other => of_any(other),
    }
}

pub fn of_byte_arrays<S: ByteArraySink>(encoding: Encoding) -> Option<Open<S>> {
    match encoding {
        Encoding::PLAIN => Some(|values| Ok(Box::new(plain::ByteArrays::new(values)))),
        other => of_any(other),
    }
}

/// Encodings that all types have.
fn of_any<S: Sink>(encoding: Encoding) -> Option<Open<S>> {
    is_dictionary(encoding).then_some(|values| Ok(Box::new(dictionary::Indices::new(&values)?)))
}
