//! Timestamps of twelve bytes, as Hive, Impala and Spark wrote them: nanoseconds of the day, then the Julian day.

use arrow_schema::TimeUnit;

use crate::error::{Error, Kind, Result};

const BYTES: usize = 12;
/// Of 1970-01-01.
const EPOCH_DAY: i128 = 2_440_588;
const DAY_NANOSECONDS: i128 = 86_400_000_000_000;

/// Refuse plain values that are not so many units since 1970 in 64 bits: they would come as other dates.
pub fn check(values: &[u8], unit: TimeUnit) -> Result<()> {
    let (name, nanoseconds) = match unit {
        TimeUnit::Second => ("s", 1_000_000_000),
        TimeUnit::Millisecond => ("ms", 1_000_000),
        TimeUnit::Microsecond => ("us", 1_000),
        TimeUnit::Nanosecond => ("ns", 1),
    };
    for value in values.as_chunks::<BYTES>().0 {
        let [a, b, c, d, e, f, g, h, day @ ..] = *value;
        let time = u64::from_le_bytes([a, b, c, d, e, f, g, h]);
        let days = i128::from(u32::from_le_bytes(day)) - EPOCH_DAY;
        let units = days * (DAY_NANOSECONDS / nanoseconds) + i128::from(time) / nanoseconds;
        // Decoders take both parts as signed.
        let is_signed = time > i64::MAX as u64 || day[3] > 0x7f;
        if i64::try_from(units).is_err() || is_signed {
            let (reach, advice) = match unit {
                TimeUnit::Nanosecond => {
                    ("before 1677 or after 2262", ": int96='us', 'ms' or 's' reads it in a coarser unit")
                }
                _ => ("too far from 1970", ""),
            };
            return Err(Error::new(
                Kind::Unsupported,
                format!(
                    "a timestamp of type INT96 {reach}, beyond what 64 bits reach in the unit {name}{advice}"
                ),
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
            let values = [value(2_440_588, 5), value(day, 0)].concat();
            assert_eq!(check(&values, TimeUnit::Nanosecond).is_ok(), sound, "{day}");
            assert!(check(&values, TimeUnit::Microsecond).is_ok());
        }
        assert_eq!(check(&value(5_373_484, 0), TimeUnit::Nanosecond).unwrap_err().kind, Kind::Unsupported);
    }

    #[test]
    fn coarser_units_reach_farther() {
        let reach = |unit, day| check(&value(day, 0), unit).is_ok();
        assert!(reach(TimeUnit::Microsecond, 2_440_588 + 106_751_991));
        assert!(!reach(TimeUnit::Microsecond, 2_440_588 + 106_751_992));
        assert!(reach(TimeUnit::Millisecond, i32::MAX as u32));
        assert!(reach(TimeUnit::Second, i32::MAX as u32));
    }

    #[test]
    fn parts_that_decoders_take_for_negative_are_refused() {
        for unit in [TimeUnit::Nanosecond, TimeUnit::Microsecond, TimeUnit::Millisecond, TimeUnit::Second] {
            assert!(check(&value(1 << 31, 0), unit).is_err());
            assert!(check(&value(2_440_588, 1 << 63), unit).is_err());
        }
    }
}
