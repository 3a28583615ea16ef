//! One pass over a file, batch by batch.

pub mod ahead;
mod floor;
pub mod options;
mod parallel;
mod shuffle;
mod take;

use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;

use crate::dataset::Dataset;
use crate::decode::decoder::{Decoder, Recipe};
use crate::error::{Error, Place, Result};
use crate::filter::predicate::Predicate;
use crate::filter::prune;
use crate::interrupt::Interrupt;
use crate::memory::pool::Pool;
use crate::plan::{self, Piece};
use crate::random::Random;
use crate::scan::ahead::Step;
use crate::scan::options::{Position, ScanOptions};
use crate::scan::parallel::Parallel;
use crate::scan::shuffle::Shuffle;

enum Source {
    Direct(Box<Decoder>),
    /// Threads start with the first batch, so that a scan that is only made costs none.
    Waiting(Box<Recipe>, Vec<Piece>),
    Ahead(Parallel),
}

/// An iterator of batches. After an error or the end it stays at its end.
pub struct Scan {
    source: Option<Source>,
    predicate: Option<Predicate>,
    shuffle: Option<Shuffle>,
    schema: SchemaRef,
    position: Position,
    threads: usize,
    memory_budget_bytes: usize,
    interrupt: Option<Arc<Interrupt>>,
    place: Place,
}

impl Dataset {
    /// One pass over the file. Fails where the options do not fit it.
    pub fn scan(&self, options: &ScanOptions) -> Result<Scan> {
        Scan::new(self, options).map_err(|error| error.within(&self.place()))
    }
}

impl Scan {
    fn new(dataset: &Dataset, options: &ScanOptions) -> Result<Self> {
        if options.batch_rows == 0 {
            return Err(Error::usage("a batch must have at least one row"));
        }
        if options.shuffle_rows > 0 && options.seed.is_none() {
            return Err(Error::usage("shuffle_rows needs a seed"));
        }
        let mut parts = dataset.parts(options.columns.as_deref())?;
        let schema = dataset.batch_schema(&parts, options.forms);
        let mut predicate = None;
        let mut pieces = plan::groups(&dataset.row_group_rows(), options.row_groups.as_deref())?;
        if !options.predicate.is_empty() {
            let made = Predicate::new(dataset, &options.predicate, (parts, options.forms), schema.clone())?;
            parts = made.parts.clone();
            pieces = prune::row_groups(dataset, &made.filters, &pieces)?;
            predicate = Some(made);
        }
        if let Some(seed) = options.seed {
            Random::new(&[seed, options.epoch]).shuffle(&mut pieces);
        }
        if let Some((rank, world)) = options.shard {
            pieces = plan::shard(&pieces, rank, world)?;
        }
        if let Some(predicate) = &predicate {
            // Last, so that order and shares are the same with and without an index.
            pieces = prune::pages(dataset, &predicate.filters, &pieces)?;
        }
        let mut position = Position { rows: 0, block_rows: 0, plan: digest(dataset, options, &pieces) };
        if let Some(resume) = options.resume {
            check_resume(resume, position.plan, plan::total(&pieces))?;
            position = resume;
        }
        let rest = plan::slice(&pieces, position.rows, u64::MAX);
        let shuffle = options.seed.filter(|_| options.shuffle_rows > 0);
        let shuffle = shuffle.map(|seed| {
            let block_batches = options.shuffle_rows.div_ceil(options.batch_rows);
            Shuffle::new(
                &[seed, options.epoch],
                block_batches,
                options.batch_rows,
                (position.rows, position.block_rows),
            )
        });
        let recipe = Recipe {
            dataset: dataset.clone(),
            schema: dataset.batch_schema(&parts, options.forms),
            parts,
            forms: options.forms,
            batch_rows: options.batch_rows,
            max_page_bytes: options.max_page_bytes,
            max_batch_bytes: options.max_batch_bytes,
            // Threads of our own are none that the caller could be asked in.
            interrupt: options.interrupt.clone().filter(|_| options.threads == 0),
        };
        dataset.check_readable(&recipe.parts)?;
        let source = if options.threads == 0 {
            Source::Direct(Box::new(Decoder::new(
                &recipe,
                &rest,
                true,
                Arc::default(),
                Arc::new(Pool::default()),
                None,
            )?))
        } else {
            Source::Waiting(Box::new(recipe), rest)
        };
        Ok(Self {
            source: Some(source),
            predicate,
            shuffle,
            schema,
            position,
            threads: options.threads,
            memory_budget_bytes: options.memory_budget_bytes,
            interrupt: options.interrupt.clone(),
            place: dataset.place(),
        })
    }

    /// The schema of the batches.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Where the next row is.
    pub fn progress(&self) -> Position {
        let (rows, block_rows) = match &self.shuffle {
            Some(shuffle) => shuffle.progress(),
            None => (self.position.rows, self.position.block_rows),
        };
        Position { rows, block_rows, ..self.position }
    }

    /// The most bytes that threads and queues held at once; None without threads.
    pub fn most_bytes(&self) -> Option<usize> {
        match &self.source {
            Some(Source::Ahead(ahead)) => Some(ahead.most_bytes()),
            _ => None,
        }
    }

    /// Let go of everything and end all threads; later calls of `next` return `None`.
    pub fn close(&mut self) {
        self.position = self.progress();
        self.source = None;
        self.shuffle = None;
    }

    /// Ask nobody any more, for a scan that goes to where nobody can be asked.
    pub fn without_interrupt(mut self) -> Self {
        if let Some(interrupt) = self.interrupt.take() {
            interrupt.disarm();
        }
        self
    }

    /// Wait at most about `patience` for the next batch. Without threads the work is done here and now.
    pub fn next_within(&mut self, patience: Duration) -> Result<Step> {
        if let Some(interrupt) = &self.interrupt {
            interrupt.begin();
        }
        let step = self.step(patience);
        if !matches!(step, Ok(Step::Batch(_) | Step::Pending)) {
            self.close();
        }
        step.map_err(|error| error.within(&self.place))
    }

    fn step(&mut self, patience: Duration) -> Result<Step> {
        let begin = Instant::now();
        loop {
            if let Some(batch) = self.shuffle.as_mut().and_then(Shuffle::next) {
                return batch.map(Step::Batch);
            }
            let batch = match self.decoded(patience)? {
                Step::Batch(batch) => batch,
                Step::Pending => return Ok(Step::Pending),
                Step::End if self.shuffle.as_mut().is_some_and(Shuffle::finish) => continue,
                Step::End => return Ok(Step::End),
            };
            let rows = batch.num_rows() as u64;
            let batch = match &self.predicate {
                None => batch,
                Some(predicate) => predicate.filter(&batch)?,
            };
            if let Some(shuffle) = &mut self.shuffle {
                shuffle.push(batch, rows);
                if begin.elapsed() > patience {
                    return Ok(Step::Pending);
                }
                continue;
            }
            self.position.rows += rows;
            if batch.num_rows() > 0 {
                return Ok(Step::Batch(batch));
            }
            if begin.elapsed() > patience {
                return Ok(Step::Pending);
            }
        }
    }

    /// The next batch as it is in the file.
    fn decoded(&mut self, patience: Duration) -> Result<Step> {
        if matches!(self.source, Some(Source::Waiting(..)))
            && let Some(Source::Waiting(recipe, pieces)) = self.source.take()
        {
            let ahead = Parallel::start(&recipe, pieces, self.threads, self.memory_budget_bytes)?;
            self.source = Some(Source::Ahead(ahead));
        }
        match &mut self.source {
            Some(Source::Direct(decoder)) => Ok(decoder.next()?.map_or(Step::End, Step::Batch)),
            Some(Source::Ahead(ahead)) => ahead.next(patience),
            _ => Ok(Step::End),
        }
    }
}

impl Iterator for Scan {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.next_within(Duration::from_secs(1)) {
                Ok(Step::Batch(batch)) => return Some(Ok(batch)),
                Ok(Step::End) => return None,
                Ok(Step::Pending) => {}
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

fn check_resume(resume: Position, plan: u64, rows: u64) -> Result<()> {
    if resume.plan != plan {
        return Err(Error::usage(
            "resume: the position belongs to another file or to other options (row groups, shard, rows of a \
             batch, seed, epoch, shuffled rows and predicate must be the same)",
        ));
    }
    if resume.rows > rows {
        return Err(Error::usage(format!("resume: row {} of {rows}", resume.rows)));
    }
    Ok(())
}

/// A digest of all that decides which rows come in which order. Stable across processes and machines.
fn digest(dataset: &Dataset, options: &ScanOptions, pieces: &[Piece]) -> u64 {
    let mut words = dataset.row_group_rows();
    words.extend(pieces.iter().flat_map(|piece| [piece.group as u64, piece.start, piece.rows]));
    words.extend([dataset.file().stamp().bytes, options.epoch, options.shuffle_rows as u64]);
    words.push(options.seed.map_or(0, |seed| seed.wrapping_add(1)));
    if options.shuffle_rows > 0 {
        words.push(options.batch_rows as u64);
    }
    for comparison in &options.predicate {
        words.extend(format!("{comparison:?}").bytes().map(u64::from));
    }
    Random::new(&words).next_u64()
}
