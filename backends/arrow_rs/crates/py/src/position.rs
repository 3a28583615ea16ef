//! A reader's position as Python sees it.

use firstbyte_core::Position;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

const VERSION: u64 = 1;

/// A position as plain numbers, so that it survives pickle, JSON and the next version.
pub fn to_dict<'py>(py: Python<'py>, position: Position) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    dict.set_item("version", VERSION)?;
    dict.set_item("rows", position.rows)?;
    dict.set_item("block_rows", position.block_rows)?;
    // As text: other JSON readers take large numbers for floating point.
    dict.set_item("plan", format!("{:016x}", position.plan))?;
    Ok(dict)
}

/// A position that `to_dict` wrote. Raises ValueError for any other dict.
pub fn from_dict(dict: &Bound<'_, PyDict>) -> PyResult<Position> {
    let item = |name: &str| {
        dict.get_item(name)?.ok_or_else(|| PyValueError::new_err(format!("resume: a position has '{name}'")))
    };
    let version: u64 = item("version")?.extract()?;
    if version != VERSION {
        return Err(PyValueError::new_err(format!(
            "resume: a position of version {version} (this release reads {VERSION})"
        )));
    }
    let plan: String = item("plan")?.extract()?;
    let plan = u64::from_str_radix(&plan, 16)
        .map_err(|_| PyValueError::new_err(format!("resume: the plan '{plan}' is no hexadecimal number")))?;
    Ok(Position { rows: item("rows")?.extract()?, block_rows: item("block_rows")?.extract()?, plan })
}
