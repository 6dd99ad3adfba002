//! NAL units between start codes (ITU-T H.264 and H.265, Annex B).

/// What stands in front of each unit.
pub(super) const START_CODE: [u8; 4] = [0, 0, 0, 1];

/// The units of a byte stream, without start codes and trailing zeros.
pub(super) fn units(stream: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = after_start_code(stream);
    std::iter::from_fn(move || {
        loop {
            let current = rest?;
            let end = next_start_code(current).unwrap_or(current.len());
            let (unit, following) = current.split_at_checked(end)?;
            rest = after_start_code(following);
            let unit = trimmed(unit);
            if !unit.is_empty() {
                return Some(unit);
            }
        }
    })
}

/// Appends a unit with its start code.
pub(super) fn append(stream: &mut Vec<u8>, unit: &[u8]) {
    stream.extend_from_slice(&START_CODE);
    stream.extend_from_slice(unit);
}

/// Where the next `0 0 1` begins.
fn next_start_code(bytes: &[u8]) -> Option<usize> {
    let mut from = 0;
    loop {
        // Most of a picture is not zero: look for the 1, then at what stands before it.
        let one = bytes.get(from..)?.iter().position(|byte| *byte == 1)? + from;
        if one >= 2 && bytes.get(one - 2..one) == Some(&[0, 0][..]) {
            return Some(one - 2);
        }
        from = one + 1;
    }
}

fn after_start_code(bytes: &[u8]) -> Option<&[u8]> {
    let at = next_start_code(bytes)?;
    bytes.get(at + 3..)
}

fn trimmed(unit: &[u8]) -> &[u8] {
    let end = unit
        .iter()
        .rposition(|byte| *byte != 0)
        .map_or(0, |last| last + 1);
    unit.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_between_short_and_long_start_codes() {
        let stream = [
            0, 0, 0, 1, 0x67, 1, 0, 0, 1, 0x68, 1, 1, 0, 0, 0, 1, 0, 0, 1, 0x65, 0, 1, 0, 3,
        ];
        let units: Vec<&[u8]> = units(&stream).collect();
        assert_eq!(units, [&[0x67, 1][..], &[0x68, 1, 1], &[0x65, 0, 1, 0, 3]]);
        assert_eq!(super::units(&[1, 2, 3]).count(), 0, "no start code");
        assert_eq!(super::units(&[0, 0, 1]).count(), 0);
    }
}
