//! NAL units behind start codes (ITU-T H.264 Annex B), as frames carry them,
//! and behind their length, as containers do (ISO/IEC 14496-15).

/// The NAL units of an access unit, without start codes.
pub(super) fn units(data: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = skip_start_code(data);
    std::iter::from_fn(move || {
        loop {
            let data = rest?;
            let (unit, next) = match find_start_code(data) {
                Some(at) => (data.get(..at)?, skip_start_code(data.get(at..)?)),
                None => (data, None),
            };
            rest = next;
            // The fourth byte of a start code, and trailing zeros (§B.1.1).
            let end = unit
                .iter()
                .rposition(|byte| *byte != 0)
                .map_or(0, |last| last + 1);
            if end > 0 {
                return unit.get(..end);
            }
        }
    })
}

fn find_start_code(data: &[u8]) -> Option<usize> {
    data.windows(3).position(|three| three == [0, 0, 1])
}

/// What follows the first start code; data without any is one NAL unit.
fn skip_start_code(data: &[u8]) -> Option<&[u8]> {
    match find_start_code(data) {
        Some(at) if data.get(..at)?.iter().all(|byte| *byte == 0) => data.get(at + 3..),
        _ => (!data.is_empty()).then_some(data),
    }
}

/// The access unit with four bytes of length before each unit that `keep` wants.
pub(super) fn length_prefixed(data: &[u8], keep: impl Fn(&[u8]) -> bool) -> Vec<u8> {
    let mut result = Vec::with_capacity(data.len() + 16);
    for unit in units(data).filter(|unit| keep(unit)) {
        let length = u32::try_from(unit.len()).unwrap_or_default();
        result.extend_from_slice(&length.to_be_bytes());
        result.extend_from_slice(unit);
    }
    result
}

/// A NAL unit without its emulation prevention bytes (§7.4.1).
pub(super) fn raw_payload(unit: &[u8]) -> Vec<u8> {
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
    fn units_between_start_codes_of_three_and_four_bytes() {
        let data = [0, 0, 0, 1, 7, 1, 0, 0, 1, 8, 2, 0, 0, 0, 1, 5, 3];
        let found: Vec<_> = units(&data).collect();
        assert_eq!(found, [&[7u8, 1][..], &[8, 2], &[5, 3]]);
        assert_eq!(
            length_prefixed(&data, |unit| unit[0] != 8),
            [0, 0, 0, 2, 7, 1, 0, 0, 0, 2, 5, 3]
        );
    }

    #[test]
    fn emulation_prevention_is_taken_out() {
        assert_eq!(
            raw_payload(&[1, 0, 0, 3, 1, 0, 0, 3, 0, 0, 3]),
            [1, 0, 0, 1, 0, 0, 0, 0]
        );
    }

    proptest! {
        #[test]
        fn any_bytes_are_taken_apart(data in proptest::collection::vec(0u8..3, 0..64)) {
            for unit in units(&data) {
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
            prop_assert_eq!(raw_payload(&unit), payload);
        }
    }
}
