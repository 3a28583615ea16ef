//! What a row must be like to be wanted, as the caller says it.

use crate::error::{Error, Result};
use crate::filter::literal::Literal;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// What is asked of a value. A null matches nothing but `Null`.
#[derive(Clone, Debug, PartialEq)]
pub enum Test {
    Compare(Operator, Literal),
    /// Whether it is equal to one of these.
    Among(Vec<Literal>),
    /// Whether it is equal to none of these.
    NotAmong(Vec<Literal>),
    Null,
    NotNull,
}

/// What the operator of a test is followed by.
pub enum Operand {
    Nothing,
    One(Literal),
    Many(Vec<Literal>),
}

/// A column, and what is asked of its values.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    pub column: String,
    pub test: Test,
}

impl Operator {
    fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "==" | "=" => Self::Equal,
            "!=" => Self::NotEqual,
            "<" => Self::Less,
            "<=" => Self::LessOrEqual,
            ">" => Self::Greater,
            ">=" => Self::GreaterOrEqual,
            _ => return None,
        })
    }
}

impl Comparison {
    pub fn new(column: &str, operator: Operator, literal: impl Into<Literal>) -> Self {
        Self { column: column.to_owned(), test: Test::Compare(operator, literal.into()) }
    }

    /// From the words of a Python comparison.
    pub fn parse(column: String, operator: &str, operand: Operand) -> Result<Self> {
        let test = match (operator, operand) {
            ("is null", Operand::Nothing) => Test::Null,
            ("is not null", Operand::Nothing) => Test::NotNull,
            ("is null" | "is not null", _) => {
                return Err(Error::usage(format!("'{operator}' on column '{column}' takes no value")));
            }
            ("in", Operand::Many(literals)) => Test::Among(literals),
            ("not in", Operand::Many(literals)) => Test::NotAmong(literals),
            ("in" | "not in", _) => {
                return Err(Error::usage(format!(
                    "'{operator}' on column '{column}' takes a list of values"
                )));
            }
            (operator, operand) => {
                let known = Operator::parse(operator).ok_or_else(|| {
                    Error::usage(format!(
                        "no operator '{operator}' (allowed: ==, !=, <, <=, >, >=, in, not in, is null, is not null)"
                    ))
                })?;
                match operand {
                    Operand::One(literal) => Test::Compare(known, literal),
                    Operand::Nothing => {
                        return Err(Error::usage(format!(
                            "a null matches no '{operator}': ask column '{column}' for 'is null' or 'is not null'"
                        )));
                    }
                    Operand::Many(_) => {
                        return Err(Error::usage(format!(
                            "'{operator}' on column '{column}' takes one value (a list goes with in and not in)"
                        )));
                    }
                }
            }
        };
        Ok(Self { column, test })
    }
}
