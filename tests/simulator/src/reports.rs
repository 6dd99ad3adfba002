//! RTCP on its way: told apart from media, and falsified where a scenario says so.

use crate::{end::FIRST_TIMESTAMP, scenario::WrongReports, source::VIDEO_CLOCK_RATE};

/// The packet type of sender reports (RFC 3550 §12.1).
const SENDER_REPORT: u8 = 200;
/// Where in a sender report its SSRC begins, the NTP timestamp and the RTP timestamp (RFC 3550 §6.4.1).
const SSRC: usize = 4;
const NTP: usize = 8;
const RTP: usize = 16;
/// How much later than they are pictures are said to be.
const OFF: u32 = 2 * VIDEO_CLOCK_RATE;

/// Of a second, in units of an NTP timestamp's fraction.
const SEVEN_TENTHS: u32 = 3_006_477_107;

/// Whether a datagram is RTCP (RFC 5761 §4).
pub(crate) fn is_rtcp(datagram: &[u8]) -> bool {
    datagram
        .get(1)
        .is_some_and(|kind| (192..224).contains(kind))
}

/// Changes the sender reports of a datagram, if there are any.
pub(crate) fn falsify(datagram: &mut [u8], wrong: WrongReports, video: u32) {
    if !is_rtcp(datagram) {
        return;
    }
    let mut rest = datagram;
    while let Some((header, _)) = rest.split_first_chunk::<4>() {
        let [_, kind, high, low] = *header;
        let length = 4 * (usize::from(u16::from_be_bytes([high, low])) + 1);
        let Some((packet, following)) = rest.split_at_mut_checked(length) else {
            return;
        };
        if kind == SENDER_REPORT {
            falsify_report(packet, wrong, video);
        }
        rest = following;
    }
}

fn falsify_report(report: &mut [u8], wrong: WrongReports, video: u32) {
    match wrong {
        WrongReports::VideoIsOff => {
            if read(report, SSRC) == Some(video)
                && let Some(timestamp) = read(report, RTP)
            {
                // A smaller timestamp for the same moment: each picture seems to be later.
                write(report, RTP, timestamp.wrapping_sub(OFF));
            }
        }
        WrongReports::NoWallClock => {
            write(report, NTP, 0);
            write(report, NTP + 4, 0);
        }
        WrongReports::WallClockStands => {
            write(report, NTP, 3_900_000_000);
            write(report, NTP + 4, 0);
        }
        WrongReports::WallClockJumps => {
            if let (Some(seconds), Some(fraction)) = (read(report, NTP), read(report, NTP + 4))
                && seconds % 16 >= 8
            {
                let (fraction, carries) = fraction.overflowing_add(SEVEN_TENTHS);
                write(report, NTP, seconds + 1 + u32::from(carries));
                write(report, NTP + 4, fraction);
            }
        }
        WrongReports::DoubleSpeed => {
            if let Some(timestamp) = read(report, RTP) {
                let passed = timestamp.wrapping_sub(FIRST_TIMESTAMP);
                write(report, RTP, timestamp.wrapping_add(passed));
            }
        }
        WrongReports::NoTimestamp => write(report, RTP, 0),
    }
}

fn read(packet: &[u8], at: usize) -> Option<u32> {
    let bytes = packet.get(at..)?.first_chunk()?;
    Some(u32::from_be_bytes(*bytes))
}

fn write(packet: &mut [u8], at: usize, value: u32) {
    if let Some(bytes) = packet.get_mut(at..).and_then(|rest| rest.first_chunk_mut()) {
        *bytes = value.to_be_bytes();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(ssrc: u32) -> Vec<u8> {
        let words: [u32; 7] = [0x80c8_0006, ssrc, 11, 12, 500_000, 14, 15];
        words.iter().flat_map(|word| word.to_be_bytes()).collect()
    }

    #[test]
    fn only_what_a_scenario_names_is_falsified() {
        let compound = [report(1), report(2)].concat();
        let mut falsified = compound.clone();
        falsify(&mut falsified, WrongReports::VideoIsOff, 2);
        assert_eq!(falsified[..28], compound[..28], "sound");
        assert_eq!(read(&falsified[28..], RTP), Some(320_000));
        falsify(&mut falsified, WrongReports::NoWallClock, 2);
        assert_eq!(
            (read(&falsified, NTP), read(&falsified, RTP)),
            (Some(0), Some(500_000))
        );
        let mut media = vec![0x80, 96, 0, 1];
        falsify(&mut media, WrongReports::NoWallClock, 2);
        assert_eq!(media, [0x80, 96, 0, 1]);
    }
}
