//! Which leaves of which top-level columns are read.

use parquet::schema::types::SchemaDescriptor;

use crate::dataset::names;
use crate::error::Result;

/// A top-level column, or what of it is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    pub root: usize,
    /// Leaves that are read, in file order.
    pub leaves: Vec<usize>,
    /// Whether these are all of the column's.
    pub is_whole: bool,
}

impl Part {
    pub fn of_leaf(schema: &SchemaDescriptor, leaf: usize) -> Self {
        let is_whole = names::leaf_count(schema.get_column_root(leaf)) == 1;
        Self { root: schema.get_column_root_idx(leaf), leaves: vec![leaf], is_whole }
    }

    /// What of which columns the names mean, in file order; all for None.
    pub fn of_names(schema: &SchemaDescriptor, names: Option<&[String]>) -> Result<Vec<Self>> {
        let mut wanted = vec![names.is_none(); schema.num_columns()];
        for name in names.unwrap_or_default() {
            wanted[names::find(schema, name)?.leaves].fill(true);
        }
        let roots: Vec<_> = (0..wanted.len()).map(|leaf| (schema.get_column_root_idx(leaf), leaf)).collect();
        let parts = roots.chunk_by(|(a, _), (b, _)| a == b).filter_map(|of_root| {
            let leaves: Vec<_> = of_root.iter().map(|(_, leaf)| *leaf).filter(|leaf| wanted[*leaf]).collect();
            let is_whole = leaves.len() == of_root.len();
            (!leaves.is_empty()).then(|| Self { root: of_root[0].0, leaves, is_whole })
        });
        Ok(parts.collect())
    }
}
