//! Wall-clock time in RTP's formats (RFC 3550 §4).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Seconds from 1900 to 1970.
const NTP_TO_UNIX: u64 = 2_208_988_800;

/// `time` as 32.32 fixed point seconds since 1900; times before 1970 count as 1970.
#[must_use]
pub fn to_ntp(time: SystemTime) -> u64 {
    let since_unix = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let seconds = since_unix.as_secs().wrapping_add(NTP_TO_UNIX);
    let fraction = (u64::from(since_unix.subsec_nanos()) << 32) / 1_000_000_000;
    seconds << 32 | fraction
}

/// The middle 32 bits of an NTP time, as reports echo it: 16.16 fixed point seconds.
#[must_use]
#[allow(clippy::cast_possible_truncation)]
pub fn middle_bits(ntp: u64) -> u32 {
    (ntp >> 16) as u32
}

/// A duration in 1/65536 s, as reports carry it; the longest is 18 hours.
#[must_use]
pub fn to_short(duration: Duration) -> u32 {
    let value =
        (u128::from(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)) << 16) / 1_000_000_000;
    u32::try_from(value).unwrap_or(u32::MAX)
}

/// The duration behind a number of 1/65536 s.
#[must_use]
pub fn from_short(value: u32) -> Duration {
    Duration::from_nanos((u64::from(value) * 1_000_000_000) >> 16)
}

/// The value of the abs-send-time header extension: 6.18 fixed point seconds, 24 bits.
#[must_use]
pub fn abs_send_time(ntp: u64) -> [u8; 3] {
    // Of 32.32 bits, the six above the point and eighteen below it.
    let [.., a, b, c] = (ntp >> 14).to_be_bytes();
    [a, b, c]
}

/// [`abs_send_time`] of a moment in ns since 1900, which is cheaper to reckon with.
#[inline]
#[must_use]
pub fn abs_send_time_of(nanoseconds: u64) -> [u8; 3] {
    /// What the six bits above the point count up to.
    const CYCLE: u64 = 64 * 1_000_000_000;
    let value = ((nanoseconds % CYCLE) << 18) / 1_000_000_000;
    let [.., a, b, c] = value.to_be_bytes();
    [a, b, c]
}

/// Nanoseconds from 1900 to `time`; times before 1970 count as 1970.
#[must_use]
pub fn nanoseconds(time: SystemTime) -> u64 {
    let since_unix = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let since_1900 = since_unix + Duration::from_secs(NTP_TO_UNIX);
    u64::try_from(since_1900.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_times() {
        let time = UNIX_EPOCH + Duration::from_millis(1500);
        let ntp = to_ntp(time);
        assert_eq!(ntp >> 32, NTP_TO_UNIX + 1);
        assert_eq!(ntp & 0xffff_ffff, 0x8000_0000);
        assert_eq!(middle_bits(ntp) & 0xffff, 0x8000);
        assert_eq!(to_short(Duration::from_millis(250)), 0x4000);
        assert_eq!(from_short(0x4000), Duration::from_millis(250));
        assert_eq!(to_short(Duration::MAX), u32::MAX);
    }

    #[test]
    fn abs_send_time_has_six_bits_of_seconds() {
        // 63.5 s: all six bits of the seconds and the first of the fraction.
        assert_eq!(abs_send_time(63u64 << 32 | 1 << 31), [0xfe, 0, 0]);
        assert_eq!(abs_send_time(64u64 << 32), [0, 0, 0]);
        assert_eq!(abs_send_time(1u64 << 32), [0x04, 0, 0]);
    }

    #[test]
    fn the_two_ways_to_an_abs_send_time_agree() {
        let value = |[a, b, c]: [u8; 3]| u32::from_be_bytes([0, a, b, c]);
        for micros in (0..200_000_000u64).step_by(1_234_567) {
            let time = UNIX_EPOCH + Duration::from_micros(1_700_000_000_000_000 + micros);
            let exact = value(abs_send_time_of(nanoseconds(time)));
            let usual = value(abs_send_time(to_ntp(time)));
            // The NTP form is rounded before it is cut.
            assert!(exact.wrapping_sub(usual) & 0xff_ffff <= 1, "{time:?}");
        }
    }
}
