//! Levels and dictionary indices, encoded as `decode` decodes them.

/// The numbers as one run: repeated where they are all the same, otherwise bit-packed.
pub fn encode(values: &[u32], width: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    let Some(&first) = values.first() else { return bytes };
    if values.iter().all(|&value| value == first) {
        put_varint(&mut bytes, (values.len() as u64) << 1);
        bytes.extend(&first.to_le_bytes()[..width.div_ceil(8) as usize]);
        return bytes;
    }
    let groups = values.len().div_ceil(8);
    put_varint(&mut bytes, (groups as u64) << 1 | 1);
    let end = bytes.len() + groups * width as usize;
    let (mut waiting, mut bits) = (0, 0);
    for &value in values {
        waiting |= u64::from(value) << bits;
        bits += width;
        while bits >= 8 {
            bytes.push(low_byte(waiting));
            waiting >>= 8;
            bits -= 8;
        }
    }
    bytes.push(low_byte(waiting));
    bytes.resize(end, 0);
    bytes
}

fn low_byte(value: u64) -> u8 {
    value.to_le_bytes()[0]
}

fn put_varint(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push(low_byte(value) | 0x80);
        value >>= 7;
    }
    bytes.push(low_byte(value));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoding::hybrid::Runs;
    use crate::random::Random;

    #[test]
    fn what_is_encoded_is_decoded() {
        let mut random = Random::new(&[5]);
        for width in 1..=32_u32 {
            let mask = u32::MAX >> (32 - width);
            for count in [1, 8, 77] {
                let values: Vec<u32> = (0..count).map(|_| random.next_u64() as u32 & mask).collect();
                for values in [values, vec![mask; count]] {
                    let mut decoded = vec![0; count];
                    let mut runs = Runs::new(encode(&values, width).into(), width).unwrap();
                    runs.read(&mut decoded).unwrap();
                    assert_eq!(decoded, values, "{width}");
                }
            }
        }
    }
}
