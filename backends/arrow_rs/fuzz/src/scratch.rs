//! A file on disk with given contents, written over for every input.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, UNIX_EPOCH};

struct Scratch {
    path: PathBuf,
}

impl Scratch {
    fn new() -> Self {
        // In memory where there is such a place: a fuzzer writes thousands of files per second.
        let shared = Path::new("/dev/shm");
        let folder = if shared.is_dir() { shared.to_owned() } else { std::env::temp_dir() };
        Self { path: folder.join(format!("firstbyte-fuzz-{}.parquet", std::process::id())) }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // The folder is temporary: a file that stays behind does no harm.
        let _ = fs::remove_file(&self.path);
    }
}

/// Call `use_it` with the path of a file that holds `bytes`.
pub fn with_file(bytes: &[u8], use_it: impl FnOnce(&Path)) {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    static WRITTEN: AtomicU64 = AtomicU64::new(1);
    let _held = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let scratch = Scratch::new();
    fs::write(&scratch.path, bytes).expect("a temporary file can be written");
    // Footers are remembered by size and time, and the clock of files ticks too rarely.
    let time = UNIX_EPOCH + Duration::from_micros(WRITTEN.fetch_add(1, Relaxed));
    let file = File::options().write(true).open(&scratch.path).expect("it was just written");
    file.set_modified(time).expect("the time of an own file can be set");
    drop(file);
    use_it(&scratch.path);
}
