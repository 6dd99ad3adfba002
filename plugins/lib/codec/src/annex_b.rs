//! NAL units behind start codes (ITU-T H.264 and H.265, Annex B), as frames carry them here, and
//! behind their length, as containers do (ISO/IEC 14496-15).

/// What [`append`] puts in front of each unit. The first unit of an access unit, and parameter sets,
/// need the form of four bytes (§B.1.2, `zero_byte`); any unit may have it.
pub const START_CODE: [u8; 4] = [0, 0, 0, 1];

/// The units of a byte stream, without start codes and trailing zeros, and never empty. What stands
/// in front of the first start code is no unit.
pub fn units(stream: &[u8]) -> impl Iterator<Item = &[u8]> {
    split(after_start_code(stream), |_| false)
}

/// The units of a byte stream as [`units`] has them; but what stands in front of the first start code
/// is a unit as well, unless it is nothing but zeros. So a producer that hands over a single unit
/// without a start code is understood.
pub fn units_or_bare(data: &[u8]) -> impl Iterator<Item = &[u8]> {
    units_before(data, |_| false)
}

/// Where the first unit begins, behind a start code or without one.
fn first_unit(data: &[u8]) -> Option<&[u8]> {
    match find_start_code(data) {
        Some(at) if data.iter().take(at).all(|byte| *byte == 0) => data.get(at + 3..),
        _ => Some(data),
    }
}

/// The units of a byte stream as [`units_or_bare`] has them, up to the first whose header (its first
/// byte) `ends` them. That one is not looked through: a picture is long, and what stands before it is
/// short.
pub fn units_before(data: &[u8], ends: impl Fn(u8) -> bool) -> impl Iterator<Item = &[u8]> {
    split(first_unit(data), ends)
}

/// `rest`: what stands behind a start code, if there is one.
fn split(mut rest: Option<&[u8]>, ends: impl Fn(u8) -> bool) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        loop {
            let current = rest?;
            if current.first().is_some_and(|header| ends(*header)) {
                return None;
            }
            let end = find_start_code(current).unwrap_or(current.len());
            let (unit, following) = current.split_at_checked(end)?;
            rest = after_start_code(following);
            let unit = without_trailing_zeros(unit);
            if !unit.is_empty() {
                return Some(unit);
            }
        }
    })
}

/// Appends a unit with its start code.
pub fn append(stream: &mut Vec<u8>, unit: &[u8]) {
    stream.extend_from_slice(&START_CODE);
    stream.extend_from_slice(unit);
}

/// Where the next `0 0 1` begins. A start code of four bytes has one zero more in front, which ends
/// up behind the unit before it.
fn find_start_code(bytes: &[u8]) -> Option<usize> {
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
    let at = find_start_code(bytes)?;
    bytes.get(at + 3..)
}

/// A unit cannot end in a zero (§7.4.1): such bytes are `trailing_zero_8bits` of the stream, or the
/// first of a start code of four (§B.1.1).
fn without_trailing_zeros(unit: &[u8]) -> &[u8] {
    let end = unit
        .iter()
        .rposition(|byte| *byte != 0)
        .map_or(0, |last| last + 1);
    unit.get(..end).unwrap_or_default()
}

/// The access unit with a length of four bytes, big-endian, before each unit that `keep` wants. The
/// units are those of [`units_or_bare`].
pub fn length_prefixed(data: &[u8], keep: impl Fn(&[u8]) -> bool) -> Vec<u8> {
    // A start code of three bytes becomes a length of four; most encoders write four bytes anyway.
    let mut result = Vec::with_capacity(data.len() + 16);
    for unit in units_or_bare(data).filter(|unit| keep(unit)) {
        let length = u32::try_from(unit.len()).unwrap_or_default();
        result.extend_from_slice(&length.to_be_bytes());
        result.extend_from_slice(unit);
    }
    result
}

/// A unit without its emulation prevention bytes: a 3 behind two zeros, which keeps start codes out
/// of units (ITU-T H.264 §7.4.1). With the header left out this is the RBSP that headers are read
/// from.
#[must_use]
pub fn without_emulation_prevention(unit: &[u8]) -> Vec<u8> {
    let mut payload = Vec::with_capacity(unit.len());
    let mut zeros = 0;
    for byte in unit {
        if zeros >= 2 && *byte == 3 {
            zeros = 0;
            continue;
        }
        zeros = if *byte == 0 { zeros + 1 } else { 0 };
        payload.push(*byte);
    }
    payload
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn units_between_short_and_long_start_codes() {
        let stream = [
            0, 0, 0, 1, 0x67, 1, 0, 0, 1, 0x68, 1, 1, 0, 0, 0, 1, 0, 0, 1, 0x65, 0, 1, 0, 3,
        ];
        let expected = [&[0x67, 1][..], &[0x68, 1, 1], &[0x65, 0, 1, 0, 3]];
        assert_eq!(units(&stream).collect::<Vec<_>>(), expected);
        assert_eq!(units_or_bare(&stream).collect::<Vec<_>>(), expected);
        assert_eq!(units(&[0, 0, 1]).count(), 0);
        assert_eq!(units_or_bare(&[0, 0, 1]).count(), 0);
    }

    #[test]
    fn a_unit_without_a_start_code_is_one_where_that_is_asked_for() {
        assert_eq!(units(&[1, 2, 3]).count(), 0, "no start code");
        let bare = |data| units_or_bare(data).collect::<Vec<_>>();
        assert_eq!(bare(&[1, 2, 3]), [[1, 2, 3]]);
        assert_eq!(bare(&[9, 2, 0, 0, 1, 5, 3]), [[9, 2], [5, 3]]);
        assert_eq!(bare(&[]), [[0u8; 0]; 0]);
    }

    #[test]
    fn units_behind_their_length() {
        let data = [0, 0, 0, 1, 7, 1, 0, 0, 1, 8, 2, 0, 0, 0, 1, 5, 3];
        assert_eq!(
            length_prefixed(&data, |unit| unit[0] != 8),
            [0, 0, 0, 2, 7, 1, 0, 0, 0, 2, 5, 3]
        );
    }

    #[test]
    fn emulation_prevention_is_taken_out() {
        assert_eq!(
            without_emulation_prevention(&[1, 0, 0, 3, 1, 0, 0, 3, 0, 0, 3]),
            [1, 0, 0, 1, 0, 0, 0, 0]
        );
    }

    proptest! {
        #[test]
        fn any_bytes_are_taken_apart(data in proptest::collection::vec(0u8..3, 0..64)) {
            for unit in units(&data).chain(units_or_bare(&data)) {
                prop_assert!(!unit.is_empty());
            }
        }

        #[test]
        fn what_an_encoder_guards_comes_back(payload in proptest::collection::vec(0u8..5, 0..64)) {
            // §7.4.1: no byte up to 3 directly behind two zeros.
            let mut unit: Vec<u8> = Vec::new();
            for byte in &payload {
                if *byte <= 3 && unit.ends_with(&[0, 0]) {
                    unit.push(3);
                }
                unit.push(*byte);
            }
            prop_assert_eq!(without_emulation_prevention(&unit), payload);
        }
    }
}
