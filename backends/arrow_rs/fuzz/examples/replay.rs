//! Runs a target over the committed corpus and over simple mutants of it, on a stable compiler:
//! `cargo run --release --no-default-features --example replay -- scan corpus/scan 20000`

use std::path::Path;
use std::process::ExitCode;

const USAGE: &str = "usage: replay footer|page_header|scan FOLDER MUTANTS";

/// xorshift64*: any sequence will do, as long as it is the same every time (Vigna, 2016).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % bound.max(1)
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [target, folder, mutants] = arguments.as_slice() else { return refuse(USAGE) };
    let target: fn(&[u8]) = match target.as_str() {
        "footer" => firstbyte_fuzz::footer,
        "page_header" => firstbyte_fuzz::page_header,
        "scan" => firstbyte_fuzz::scan,
        _ => return refuse(USAGE),
    };
    let Ok(mutants) = mutants.parse::<usize>() else { return refuse(USAGE) };
    let seeds = match read_folder(Path::new(folder)) {
        Ok(seeds) if !seeds.is_empty() => seeds,
        Ok(_) => return refuse(&format!("{folder}: no files")),
        Err(error) => return refuse(&format!("{folder}: {error}")),
    };
    seeds.iter().for_each(|seed| target(seed));
    let mut random = Random(1);
    for _ in 0..mutants {
        let mut bytes = seeds[random.below(seeds.len())].clone();
        for _ in 0..=random.below(3) {
            mutate(&mut bytes, &mut random);
        }
        target(&bytes);
    }
    println!("{} files and {mutants} mutants: no promise broken", seeds.len());
    ExitCode::SUCCESS
}

fn refuse(reason: &str) -> ExitCode {
    eprintln!("{reason}");
    ExitCode::FAILURE
}

fn read_folder(folder: &Path) -> std::io::Result<Vec<Vec<u8>>> {
    let mut paths: Vec<_> =
        std::fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<std::io::Result<_>>()?;
    paths.sort();
    paths.iter().map(std::fs::read).collect()
}

fn mutate(bytes: &mut Vec<u8>, random: &mut Random) {
    if bytes.is_empty() {
        return;
    }
    let at = random.below(bytes.len());
    match random.below(4) {
        0 => bytes[at] ^= 1 << random.below(8),
        1 => bytes[at] = random.below(256) as u8,
        2 => bytes.truncate(at),
        _ => bytes.insert(at, random.below(256) as u8),
    }
}
