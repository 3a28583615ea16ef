//! A file's metadata, shared by all who read the file and kept while there is room.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use arrow_schema::{DataType, Field, Fields, Schema, SchemaRef};
use parquet::arrow::arrow_reader::ParquetRecordBatchReader;
use parquet::arrow::{FieldLevels, ProjectionMask, parquet_to_arrow_field_levels};
use parquet::file::metadata::ParquetMetaData;

use crate::error::{Error, Place, Result};
use crate::footer::{self, Statistics};
use crate::guard::guard;
use crate::scan::{Scan, ScanOptions};
use crate::source::LocalFile;
use crate::source::local::Stamp;

/// How text arrives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Strings {
    /// As the file declares it, which is mostly Utf8: every string copied once into its batch.
    #[default]
    AsStored,
    /// Utf8View: batches point into decompressed pages and keep them alive.
    View,
    /// Dictionary(Int32, Utf8): what repeats is stored once per batch.
    Dictionary,
}

/// What the footer says.
#[derive(Debug)]
pub struct Meta {
    pub parquet: Arc<ParquetMetaData>,
    pub schema: SchemaRef,
    levels: Vec<OnceLock<FieldLevels>>,
}

impl Meta {
    fn read(file: &LocalFile, statistics: Statistics) -> Result<Self> {
        let parquet = Arc::new(footer::read(file, statistics)?);
        let schema = footer::arrow_schema(&parquet)?;
        let levels = schema.fields().iter().map(|_| OnceLock::new()).collect();
        Ok(Self { parquet, schema, levels })
    }

    /// How to decode one top-level column.
    pub fn levels(&self, root: usize, strings: Strings) -> Result<FieldLevels> {
        if strings != Strings::AsStored {
            return self.make_levels(root, &with_strings(self.schema.fields(), strings));
        }
        if let Some(levels) = self.levels[root].get() {
            return Ok(levels.clone());
        }
        let made = self.make_levels(root, self.schema.fields())?;
        Ok(self.levels[root].get_or_init(|| made).clone())
    }

    fn make_levels(&self, root: usize, fields: &Fields) -> Result<FieldLevels> {
        let columns = self.parquet.file_metadata().schema_descr();
        let levels =
            parquet_to_arrow_field_levels(columns, ProjectionMask::roots(columns, [root]), Some(fields))?;
        Ok(levels)
    }

    /// About how many bytes are held.
    fn bytes(&self) -> usize {
        self.parquet.memory_size() + self.schema.fields().len() * size_of::<ParquetRecordBatchReader>()
    }
}

fn with_strings(fields: &Fields, strings: Strings) -> Fields {
    fields
        .iter()
        .map(|field| Field::clone(field).with_data_type(string_type(field.data_type(), strings)))
        .collect()
}

fn string_type(stored: &DataType, strings: Strings) -> DataType {
    let inner =
        |field: &Field| Arc::new(field.clone().with_data_type(string_type(field.data_type(), strings)));
    match (stored, strings) {
        (DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View, Strings::View) => DataType::Utf8View,
        (DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View, Strings::Dictionary) => {
            DataType::Dictionary(DataType::Int32.into(), DataType::Utf8.into())
        }
        (DataType::List(field), _) => DataType::List(inner(field)),
        (DataType::LargeList(field), _) => DataType::LargeList(inner(field)),
        (DataType::Struct(fields), _) => DataType::Struct(with_strings(fields, strings)),
        (other, _) => other.clone(),
    }
}

/// Metadata read lately, newest last.
static CACHE: Mutex<Vec<(Stamp, Arc<Meta>)>> = Mutex::new(Vec::new());
/// Enough for some hundreds of ordinary footers.
const CACHE_BYTES: usize = 8 << 20;

fn cached(stamp: Stamp) -> Option<Arc<Meta>> {
    let mut cache = CACHE.lock().unwrap_or_else(PoisonError::into_inner);
    let at = cache.iter().position(|(known, _)| *known == stamp)?;
    let entry = cache.remove(at);
    let meta = entry.1.clone();
    cache.push(entry);
    Some(meta)
}

/// A file that was changed so lately could be changed again without a new modification time: clocks of file
/// systems tick every few milliseconds, some every two seconds.
const SETTLED_NS: i128 = 2_000_000_000;

fn is_settled(stamp: Stamp) -> bool {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.is_ok_and(|now| i128::try_from(now.as_nanos()).is_ok_and(|now| now - stamp.modified_ns > SETTLED_NS))
}

fn remember(stamp: Stamp, meta: &Arc<Meta>) {
    if meta.bytes() > CACHE_BYTES || !is_settled(stamp) {
        return;
    }
    let mut cache = CACHE.lock().unwrap_or_else(PoisonError::into_inner);
    // The same file in an older state is of no more use.
    cache.retain(|(known, _)| (known.inode, known.device) != (stamp.inode, stamp.device));
    cache.push((stamp, meta.clone()));
    let mut held: usize = cache.iter().map(|(_, meta)| meta.bytes()).sum();
    while held > CACHE_BYTES {
        held -= cache.remove(0).1.bytes();
    }
}

/// One Parquet file: its footer and an open descriptor. Cheap to clone; starts no thread.
#[derive(Clone, Debug)]
pub struct Dataset {
    file: LocalFile,
    meta: Arc<Meta>,
}

impl Dataset {
    /// Read and check the footer, or take it from the cache where the file is unchanged.
    ///
    /// Fails where the file is missing, unreadable or not sound Parquet.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self> {
        let file = LocalFile::open(path)?;
        if let Some(meta) = cached(file.stamp()) {
            return Ok(Self { file, meta });
        }
        let place = Place { file: Some(file.path().to_owned()), ..Place::default() };
        let meta = guard(|| Meta::read(&file, Statistics::Skip)).map_err(|error| error.within(&place))?;
        let meta = Arc::new(meta);
        remember(file.stamp(), &meta);
        Ok(Self { file, meta })
    }

    pub fn path(&self) -> &Path {
        self.file.path()
    }

    pub fn schema(&self) -> &SchemaRef {
        &self.meta.schema
    }

    /// Rows of each row group, in file order.
    pub fn row_group_rows(&self) -> Vec<u64> {
        // Checked not to be negative when the footer was read.
        self.meta.parquet.row_groups().iter().map(|group| group.num_rows() as u64).collect()
    }

    pub fn num_rows(&self) -> u64 {
        self.meta.parquet.file_metadata().num_rows() as u64
    }

    pub fn scan(&self, options: &ScanOptions) -> Result<Scan> {
        Scan::new(self, options).map_err(|error| error.within(&self.place()))
    }

    pub(crate) fn file(&self) -> &LocalFile {
        &self.file
    }

    pub(crate) fn meta(&self) -> &Arc<Meta> {
        &self.meta
    }

    pub(crate) fn place(&self) -> Place {
        Place { file: Some(self.path().to_owned()), ..Place::default() }
    }

    /// Metadata that also has the minima and maxima, for predicates.
    pub(crate) fn with_statistics(&self) -> Result<ParquetMetaData> {
        guard(|| footer::read(&self.file, Statistics::Keep))
    }

    /// Positions of top-level columns, in file order. Unknown names are an error that lists what there is.
    pub fn roots(&self, names: Option<&[String]>) -> Result<Vec<usize>> {
        let fields = self.schema().fields();
        let Some(names) = names else { return Ok((0..fields.len()).collect()) };
        let mut roots = names
            .iter()
            .map(|name| {
                fields.iter().position(|field| field.name() == name).ok_or_else(|| {
                    let all: Vec<_> = fields.iter().map(|field| field.name().as_str()).collect();
                    Error::usage(format!("no column '{name}' (the file has: {})", all.join(", ")))
                })
            })
            .collect::<Result<Vec<_>>>()?;
        roots.sort_unstable();
        roots.dedup();
        Ok(roots)
    }

    /// The schema of batches of these columns.
    pub(crate) fn batch_schema(&self, roots: &[usize], strings: Strings) -> SchemaRef {
        let fields = self.schema().fields();
        let picked: Fields = roots.iter().map(|&root| fields[root].clone()).collect();
        let picked = if strings == Strings::AsStored { picked } else { with_strings(&picked, strings) };
        Arc::new(Schema::new_with_metadata(picked, self.schema().metadata().clone()))
    }
}
