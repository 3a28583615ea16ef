//! Metadata of files read lately, kept while there is room.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::dataset::metadata::Meta;
use crate::defaults::METADATA_CACHE_BYTES;
use crate::source::local::Stamp;

/// Metadata read lately, newest last.
static CACHE: Mutex<Vec<(Stamp, Arc<Meta>)>> = Mutex::new(Vec::new());

/// What was remembered of an unchanged file.
pub fn get(stamp: Stamp) -> Option<Arc<Meta>> {
    let mut cache = CACHE.lock().unwrap_or_else(PoisonError::into_inner);
    let at = cache.iter().position(|(known, _)| *known == stamp)?;
    let entry = cache.remove(at);
    let meta = entry.1.clone();
    cache.push(entry);
    Some(meta)
}

/// A file that was changed so lately could be changed again without new times: clocks of file
/// systems tick every few milliseconds, some every two seconds.
const SETTLED_NS: i128 = 2_000_000_000;

fn is_settled(stamp: Stamp) -> bool {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.is_ok_and(|now| {
        i128::try_from(now.as_nanos())
            .is_ok_and(|now| now - stamp.modified_ns.max(stamp.changed_ns) > SETTLED_NS)
    })
}

/// Keep what was read of a file, and drop the oldest where there is no room.
pub fn remember(stamp: Stamp, meta: &Arc<Meta>) {
    if meta.bytes() > METADATA_CACHE_BYTES || !is_settled(stamp) {
        return;
    }
    let mut cache = CACHE.lock().unwrap_or_else(PoisonError::into_inner);
    // The same file in an older state is of no more use.
    cache.retain(|(known, _)| (known.inode, known.device) != (stamp.inode, stamp.device));
    cache.push((stamp, meta.clone()));
    let mut held: usize = cache.iter().map(|(_, meta)| meta.bytes()).sum();
    while held > METADATA_CACHE_BYTES {
        held -= cache.remove(0).1.bytes();
    }
}
