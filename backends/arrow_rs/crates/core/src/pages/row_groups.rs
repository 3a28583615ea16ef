//! The column chunks of the visited row groups, opened one after another.

use std::sync::Arc;

use arrow_schema::TimeUnit;
use parquet::arrow::arrow_reader::RowGroups;
use parquet::basic::{Repetition, Type as Physical};
use parquet::column::page::{PageIterator, PageReader};
use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};
use parquet::schema::types::Type;

use crate::error::Result;
use crate::format::page_index;
use crate::memory::size::in_memory;
use crate::pages::chunk::{Chunk, Handling, Marker};
use crate::pages::chunk_pages::ChunkPages;
use crate::pages::context::ReadContext;
use crate::pages::map::PageMap;
use crate::pages::siblings::{Sibling, Siblings};
use crate::pages::visits::Visit;

/// The column chunks of some row groups, as the decoders ask for them.
pub struct Chunks {
    pub metadata: Arc<ParquetMetaData>,
    pub visits: Arc<[Visit]>,
    pub context: Arc<ReadContext>,
    pub marker: Arc<Marker>,
    /// Rows of the first page of the first chunk: see `ChunkPages::new`.
    pub first_rows: Option<usize>,
    pub frees_dictionary: bool,
    /// Leaves of type INT96, and the unit that their timestamps come in.
    pub int96: Vec<(usize, TimeUnit)>,
    /// The leaves of the column, which its decoder does not hold against each other.
    pub siblings: Option<Arc<Siblings>>,
}

impl Chunks {
    pub fn leaf(&self, leaf: usize, frees_dictionary: bool, handling: Handling) -> LeafChunks {
        LeafChunks {
            handling,
            metadata: self.metadata.clone(),
            visits: self.visits.clone(),
            next: 0,
            leaf,
            context: self.context.clone(),
            marker: self.marker.clone(),
            first_rows: self.first_rows,
            frees_dictionary: self.frees_dictionary && frees_dictionary,
        }
    }
}

impl RowGroups for Chunks {
    fn num_rows(&self) -> usize {
        in_memory(self.row_groups().map(|group| group.num_rows().cast_unsigned()).sum())
    }

    fn column_chunks(&self, leaf: usize) -> parquet::errors::Result<Box<dyn PageIterator>> {
        let column = self.metadata.file_metadata().schema_descr().column(leaf);
        // Decoders of other types take one dictionary only.
        let frees_dictionary = column.physical_type() == Physical::BYTE_ARRAY;
        let nesting = (column.max_rep_level() > 0).then(|| {
            nesting(self.metadata.file_metadata().schema_descr().root_schema(), leaf).unwrap_or_default()
        });
        let int96 = self.int96.iter().find(|(of, _)| *of == leaf).map(|(_, unit)| *unit);
        let handling = Handling {
            nesting: nesting.map(Arc::from),
            sibling: self.siblings.clone().map(|all| Sibling { all, leaf }),
            int96,
            passes_delivered: false,
        };
        let mut chunks = self.leaf(leaf, frees_dictionary, handling);
        // Nor do they know what of a page of lists they had before.
        chunks.first_rows = chunks.first_rows.filter(|_| column.max_rep_level() == 0);
        Ok(Box::new(chunks))
    }

    fn row_groups(&self) -> Box<dyn Iterator<Item = &RowGroupMetaData> + '_> {
        Box::new(self.visits.iter().map(|visit| self.metadata.row_group(visit.group)))
    }

    fn metadata(&self) -> &ParquetMetaData {
        &self.metadata
    }
}

/// For each repetition level of a leaf the definition level from which on an element of that list is there.
fn nesting(root: &Type, leaf: usize) -> Option<Vec<u32>> {
    fn within(group: &Type, leaves: &mut usize, definition: u32, levels: &mut Vec<u32>) -> bool {
        for field in group.get_fields() {
            let (definition, is_repeated) = match field.get_basic_info().repetition() {
                Repetition::REQUIRED => (definition, false),
                Repetition::OPTIONAL => (definition + 1, false),
                Repetition::REPEATED => (definition + 1, true),
            };
            if is_repeated {
                levels.push(definition);
            }
            if field.is_primitive() {
                if *leaves == 0 {
                    return true;
                }
                *leaves -= 1;
            } else if within(field, leaves, definition, levels) {
                return true;
            }
            if is_repeated {
                levels.pop();
            }
        }
        false
    }
    let mut levels = vec![0];
    let mut leaves = leaf;
    within(root, &mut leaves, 0, &mut levels).then_some(levels)
}

/// The chunks of one leaf column, one row group after another.
pub struct LeafChunks {
    handling: Handling,
    metadata: Arc<ParquetMetaData>,
    visits: Arc<[Visit]>,
    next: usize,
    leaf: usize,
    context: Arc<ReadContext>,
    marker: Arc<Marker>,
    first_rows: Option<usize>,
    frees_dictionary: bool,
}

impl LeafChunks {
    /// The pages of the next visit's chunk.
    pub fn next_pages(&mut self) -> Option<Result<ChunkPages>> {
        let visits = self.visits.clone();
        let visit = visits.get(self.next)?;
        self.next += 1;
        Some(self.open(visit))
    }

    fn open(&mut self, visit: &Visit) -> Result<ChunkPages> {
        let metadata = self.metadata.row_group(visit.group).column(self.leaf);
        // Where every page is read, its header says all that the index does.
        let spans = if visit.is_whole() {
            None
        } else {
            page_index::spans(&self.context.file, metadata, visit.rows)?
        };
        Ok(ChunkPages::new(
            Chunk::new(
                self.context.clone(),
                self.marker.clone(),
                (visit.group, visit.rows),
                metadata,
                self.handling.clone(),
            ),
            self.first_rows.take(),
            self.frees_dictionary,
            spans.map(PageMap::new),
        ))
    }
}

impl Iterator for LeafChunks {
    type Item = parquet::errors::Result<Box<dyn PageReader>>;

    fn next(&mut self) -> Option<Self::Item> {
        let opened = self.next_pages()?.map_err(|error| self.context.note(error));
        Some(opened.map(|pages| Box::new(pages) as Box<dyn PageReader>))
    }
}

impl PageIterator for LeafChunks {}

#[cfg(test)]
mod tests {
    use parquet::schema::parser::parse_message_type;

    use super::*;

    #[test]
    fn elements_of_lists_are_there_from_a_level_on() {
        let root = parse_message_type(
            "message m { required int32 a; optional group l (LIST) { repeated group list { optional group element \
             { optional group k (LIST) { repeated group list { required int32 element; } } optional int32 b; } } } }",
        )
        .unwrap();
        assert_eq!(nesting(&root, 0), Some(vec![0]));
        assert_eq!(nesting(&root, 1), Some(vec![0, 2, 5]));
        assert_eq!(nesting(&root, 2), Some(vec![0, 2]));
        assert_eq!(nesting(&root, 3), None);
    }
}
