//! Sender reports of RTSP cameras (RFC 3550 §6.4.1), which say how far apart sound and picture are.
//!
//! `rtpbin` believes each of them. Cameras set their clocks while they send, one stream after the other or one alone, and RTP goes on
//! as before: what the reports say then is not so. What came over the network says otherwise: from one report to the
//! next as much time passes as the clock in them has gone on. Where that is not so, and not in the other streams as well, a
//! report is left out, and the distance stays as it was.

use std::{
    sync::{Arc, Mutex},
    time::Instant,
};

use rivero_gst::{element, gst, gst::prelude::*};
use rivero_plugin_api::supervise::lock;

/// By so much more or less than the others' a stream's clock may have gone on, ns: networks keep some reports up.
const TOLERANCE: i64 = 200_000_000;
/// How far apart reports may say that streams are, ns, from the first one on.
const FARTHEST: i64 = 1_000_000_000;
/// What a report is known by (RFC 3550 §12.1), and where its numbers are.
const SENDER_REPORT: u8 = 200;
const SENDER: usize = 4;
const WALL_CLOCK: usize = 8;

/// Has an `rtpbin` get those reports that are to be believed.
pub(crate) fn watch(manager: &gst::Element) {
    element::set(manager, "max-ts-offset", &FARTHEST.to_string());
    let (clocks, origin) = (Arc::new(Mutex::new(Clocks::default())), Instant::now());
    manager.connect_pad_added(move |_, pad| {
        if !pad.name().starts_with("recv_rtcp_sink") {
            return;
        }
        let (clocks, stream) = (clocks.clone(), pad.name().to_string());
        pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
            let Some(gst::PadProbeData::Buffer(buffer)) = &info.data else {
                return gst::PadProbeReturn::Ok;
            };
            let read = buffer.map_readable().ok().and_then(|packet| read(&packet));
            let arrival = i64::try_from(origin.elapsed().as_nanos()).unwrap_or(i64::MAX);
            let is_believed = read.is_none_or(|(sender, wall_clock)| {
                lock(&clocks).agree(&stream, sender, wall_clock - arrival)
            });
            if is_believed {
                gst::PadProbeReturn::Ok
            } else {
                gst::PadProbeReturn::Drop
            }
        });
    });
}

/// Who sends, and the wall clock in ns, of a packet that begins with a sender report.
fn read(packet: &[u8]) -> Option<(u32, i64)> {
    let number = |place: usize| {
        let bytes = packet.get(place..place + 4)?;
        Some(u32::from_be_bytes(bytes.try_into().ok()?))
    };
    if *packet.get(1)? != SENDER_REPORT {
        return None;
    }
    let seconds = i64::from(number(WALL_CLOCK)?);
    let fraction = i64::from(number(WALL_CLOCK + 4)?);
    // Whoever has no clock says 0 (§6.4.1).
    let wall_clock = seconds * 1_000_000_000 + ((fraction * 1_000_000_000) >> 32);
    (wall_clock != 0).then_some((number(SENDER)?, wall_clock))
}

/// The clocks of all streams of a source.
#[derive(Default)]
struct Clocks {
    streams: Vec<(String, Clock)>,
}

/// How far a stream's clock is ahead of arrival, ns.
#[derive(Clone, Copy)]
struct Clock {
    sender: u32,
    first: i64,
    latest: i64,
}

impl Clock {
    /// Since the first report.
    fn change(&self) -> i64 {
        self.latest.saturating_sub(self.first)
    }
}

impl Clocks {
    /// A report says that a stream's clock is `ahead`: whether the clock has gone on as those of the others, or there are none.
    fn agree(&mut self, stream: &str, sender: u32, ahead: i64) -> bool {
        let begun = Clock {
            sender,
            first: ahead,
            latest: ahead,
        };
        let known = self.streams.iter_mut().find(|(name, _)| name == stream);
        let own = match known {
            Some((_, clock)) if clock.sender == sender => {
                clock.latest = ahead;
                *clock
            }
            // Another stream in its place.
            Some((_, clock)) => {
                *clock = begun;
                begun
            }
            None => {
                self.streams.push((stream.to_owned(), begun));
                begun
            }
        };
        let mut others = self.streams.iter().filter(|(name, _)| name != stream);
        others.all(|(_, other)| own.change().abs_diff(other.change()) <= TOLERANCE.unsigned_abs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000_000;

    /// Whether reports are believed; each of a stream, whose clock is so many ms ahead.
    fn believed(reports: &[(&str, i64)]) -> Vec<bool> {
        let mut clocks = Clocks::default();
        let ahead = |milliseconds: i64| milliseconds * 1_000_000 + 4_000 * SECOND;
        let each = reports.iter();
        each.map(|(stream, milliseconds)| clocks.agree(stream, 1, ahead(*milliseconds)))
            .collect()
    }

    #[test]
    fn the_clock_of_one_stream_that_jumps_is_not_believed() {
        let right = [("v", 0), ("a", 300), ("v", 50), ("a", 300)];
        let wrong = [("v", 1700), ("a", 300), ("v", 1700), ("a", 300)];
        let seen = believed(&[right, wrong, right].concat());
        assert_eq!(seen, [[true; 4], [false; 4], [true; 4]].concat());
    }

    #[test]
    fn a_clock_that_all_have_may_be_set() {
        let set = 900_000_000;
        let seen = believed(&[("v", 0), ("a", 0), ("v", set), ("a", set), ("v", set)]);
        assert_eq!(seen, [true, true, false, true, true]);
        assert_eq!(believed(&[("v", 0), ("v", -5000)]), [true; 2], "alone");
    }

    #[test]
    fn a_clock_that_is_set_for_ten_minutes_is_believed_as_long_as_it_is_right() {
        let mut clocks = Clocks::default();
        for second in (0..600).step_by(5) {
            // Set every minute, and back again; both are faster than ours, and networks keep reports up.
            let is_wrong = second % 60 >= 30;
            let drift = second * SECOND / 10_000;
            for (number, stream) in ["v", "a"].into_iter().enumerate() {
                let held = second * 7919 % 80 * 1_000_000;
                let set = if is_wrong && stream == "v" {
                    17 * SECOND / 10
                } else {
                    0
                };
                let ahead = 4_000 * SECOND + drift + set - held;
                let sender = u32::try_from(number).unwrap();
                let believed = clocks.agree(stream, sender, ahead);
                assert_eq!(believed, !is_wrong, "{stream} at {second} s");
            }
        }
    }

    #[test]
    fn another_sender_begins_anew() {
        let mut clocks = Clocks::default();
        assert!(clocks.agree("v", 1, 0) && clocks.agree("a", 2, 0));
        assert!(!clocks.agree("v", 1, 2 * SECOND));
        assert!(clocks.agree("v", 3, 2 * SECOND));
    }

    #[test]
    fn reports_are_read_and_all_else_is_not() {
        let mut packet = vec![0x80, 200, 0, 6, 0, 0, 0, 7, 0, 0, 0, 3, 0x80, 0, 0, 0];
        assert_eq!(read(&packet), Some((7, 3 * SECOND + SECOND / 2)));
        assert_eq!(read(&packet[..15]), None);
        packet[8..].fill(0);
        assert_eq!(read(&packet), None);
        packet[8..].fill(255);
        assert!(read(&packet).is_some());
        packet[1] = 201;
        assert_eq!(read(&packet), None);
        assert_eq!(read(&[]), None);
    }
}
