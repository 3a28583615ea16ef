//! Timestamps of twelve bytes, as Hive, Impala and Spark wrote them: nanoseconds of the day, then the Julian day.

use crate::error::{Error, Kind, Result};

const BYTES: usize = 12;
/// Of 1970-01-01.
const EPOCH_DAY: i128 = 2_440_588;
const DAY_NANOSECONDS: i128 = 86_400_000_000_000;

/// Refuse plain values that are no nanoseconds since 1970 in 64 bits: they would come as other dates.
pub fn check(values: &[u8]) -> Result<()> {
    for value in values.as_chunks::<BYTES>().0 {
        let [a, b, c, d, e, f, g, h, day @ ..] = *value;
        let time = u64::from_le_bytes([a, b, c, d, e, f, g, h]);
        let days = i128::from(u32::from_le_bytes(day)) - EPOCH_DAY;
        if i64::try_from(days * DAY_NANOSECONDS + i128::from(time)).is_err() {
            return Err(Error::new(
                Kind::Unsupported,
                "a timestamp of type INT96 before 1677 or after 2262, beyond what nanoseconds in 64 bits reach",
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(day: u32, nanoseconds: u64) -> Vec<u8> {
        [&nanoseconds.to_le_bytes()[..], &day.to_le_bytes()].concat()
    }

    #[test]
    fn dates_within_reach_pass_and_others_do_not() {
        for (day, sound) in
            [(2_440_588, true), (2_440_588 + 106_751, true), (2_440_588 + 106_752, false), (0, false)]
        {
            assert_eq!(check(&[value(2_440_588, 5), value(day, 0)].concat()).is_ok(), sound, "{day}");
        }
        assert!(check(&value(2_440_588, u64::MAX)).is_err());
        assert_eq!(check(&value(5_373_484, 0)).unwrap_err().kind, Kind::Unsupported);
    }
}
