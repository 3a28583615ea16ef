//! A walk through an array and the arrays that it is made of.

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef};
use arrow_schema::DataType;

use crate::error::Result;

/// Call `check` on the array and on all below it, each before what it is made of, until one fails.
pub fn each(array: &ArrayRef, check: fn(&ArrayRef) -> Result<()>) -> Result<()> {
    check(array)?;
    match array.data_type() {
        DataType::Map(..) => {
            let map = array.as_map();
            each(map.keys(), check)?;
            each(map.values(), check)
        }
        DataType::List(_) => each(array.as_list::<i32>().values(), check),
        DataType::LargeList(_) => each(array.as_list::<i64>().values(), check),
        DataType::FixedSizeList(..) => each(array.as_fixed_size_list().values(), check),
        DataType::Struct(_) => array.as_struct().columns().iter().try_for_each(|column| each(column, check)),
        DataType::Dictionary(..) => each(array.as_any_dictionary().values(), check),
        _ => Ok(()),
    }
}
