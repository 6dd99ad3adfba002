//! Timestamps of a received stream without the jumps that senders make.
//!
//! Where a call is parked, or a ringing tone becomes speech, some gateways go on with the SSRC and the
//! sequence numbers, but with timestamps of another origin. RFC 3550 §5.1 has them grow with the time of
//! sampling: a receiver of such a stream would hold what comes back for as long as the timestamps say, or
//! drop it as too late. Consumers therefore get timestamps that grow by the time that has passed.

/// A packet whose timestamp is further than this before the time that passed, ns, is never early: no
/// network has kept the one before for so long and then let go of both at once.
const CERTAIN: i64 = 5_000_000_000;
/// The same for two packets with no other between them. A sender may pause and its network be slow, but not
/// by as much.
const AHEAD: i64 = 1_000_000_000;
/// How far the timestamp of the next packet may go back, ns: pictures are sent in the order of their decoding.
const BACK: i64 = 2_000_000_000;
/// Packets that are later than this belong to a sender that has begun anew.
const LATEST: u16 = 3000;

/// The packet with the highest number.
#[derive(Debug, Clone, Copy)]
struct Latest {
    sequence: u16,
    /// As the sender has it.
    timestamp: u32,
    /// On the pipeline clock, ns.
    arrival: i64,
    /// Timestamp units that it lasts; 0 where that is not known.
    ticks: u32,
}

/// See the head of this file.
#[derive(Debug)]
pub(super) struct Timestamps {
    clock_rate: i64,
    latest: Option<Latest>,
    /// What consumers get less what the sender says.
    offset: u32,
    /// The number of the first packet behind the latest jump, and the offset before it.
    former: Option<(u16, u32)>,
}

impl Timestamps {
    /// For a stream with `clock_rate` timestamp units a second.
    pub(super) fn new(clock_rate: u32) -> Self {
        Self {
            clock_rate: i64::from(clock_rate.max(1)),
            latest: None,
            offset: 0,
            former: None,
        }
    }

    #[cfg(test)]
    fn on_packet(&mut self, arrival: i64, sequence: u16, timestamp: u32) -> u32 {
        self.on_lasting(arrival, sequence, timestamp, 0)
    }

    /// The timestamp for consumers of a packet that arrived at `arrival` ns, and that lasts for so many timestamp units, 0 where
    /// that is not known.
    #[inline]
    pub(super) fn on_lasting(
        &mut self,
        arrival: i64,
        sequence: u16,
        timestamp: u32,
        ticks: u32,
    ) -> u32 {
        let packet = Latest {
            sequence,
            timestamp,
            arrival,
            ticks,
        };
        let Some(latest) = self.latest else {
            self.latest = Some(packet);
            return timestamp;
        };
        let late = latest.sequence.wrapping_sub(sequence);
        if late < LATEST {
            return timestamp.wrapping_add(self.offset_of(sequence));
        }
        if self.jumps(&latest, &packet) {
            self.former = Some((sequence, self.offset));
            let passed = self.units(arrival - latest.arrival).max(1);
            let next = latest.timestamp.wrapping_add(passed);
            self.offset = self.offset.wrapping_add(next.wrapping_sub(timestamp));
        } else if counts_twice(&latest, &packet) {
            self.former = Some((sequence, self.offset));
            self.offset = self.offset.wrapping_sub(latest.ticks);
        } else if self
            .former
            .is_some_and(|(first, _)| sequence.wrapping_sub(first) >= LATEST)
        {
            self.former = None;
        }
        self.latest = Some(packet);
        self.map(timestamp)
    }

    /// A timestamp of the sender's reports, as consumers have it.
    pub(super) fn map(&self, timestamp: u32) -> u32 {
        timestamp.wrapping_add(self.offset)
    }

    /// What was added when a late packet was due.
    fn offset_of(&self, sequence: u16) -> u32 {
        match self.former {
            Some((first, offset)) if first.wrapping_sub(sequence).cast_signed() > 0 => offset,
            _ => self.offset,
        }
    }

    fn jumps(&self, latest: &Latest, packet: &Latest) -> bool {
        let difference = packet.timestamp.wrapping_sub(latest.timestamp);
        let media = i64::from(difference.cast_signed()) * 1_000_000_000 / self.clock_rate;
        let ahead = media - (packet.arrival - latest.arrival);
        let follows = packet.sequence.wrapping_sub(latest.sequence) == 1;
        ahead > CERTAIN || media < -CERTAIN || follows && (ahead > AHEAD || media < -BACK)
    }

    fn units(&self, nanoseconds: i64) -> u32 {
        let units = i128::from(nanoseconds.max(0)) * i128::from(self.clock_rate) / 1_000_000_000;
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "timestamps wrap"
        )]
        let units = units as u32;
        units
    }
}

/// Whether the sender counts each unit twice: some do so with G722, all the time or at first, since that has two samples for each
/// of them (RFC 3551 §4.5.2).
fn counts_twice(latest: &Latest, packet: &Latest) -> bool {
    let follows = packet.sequence.wrapping_sub(latest.sequence) == 1;
    let difference = packet.timestamp.wrapping_sub(latest.timestamp);
    follows && latest.ticks > 0 && difference == 2 * latest.ticks
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: i64 = 1_000_000;
    const RATE: u32 = 8000;

    /// Packets of 20 ms with numbers from 65,530, whose timestamps jump by `jump` units at the 100th: what
    /// consumers get less what they would get without the jump.
    fn deviations(jump: u32) -> Vec<i32> {
        let mut stamps = Timestamps::new(RATE);
        let mut all = Vec::new();
        for n in 0..200u16 {
            let jumped = if n < 100 { 0 } else { jump };
            let steady = 1_000_000 + u32::from(n) * 160;
            let arrival = i64::from(n) * 20 * MS + i64::from(n % 7) * 3 * MS;
            let sequence = 65_530u16.wrapping_add(n);
            let given = stamps.on_packet(arrival, sequence, steady.wrapping_add(jumped));
            all.push(given.wrapping_sub(steady).cast_signed());
        }
        all
    }

    #[test]
    fn what_jumps_goes_on_by_the_time_that_passed() {
        for seconds in [120, 2, -2, -4, -120, 100_000] {
            let jump = (seconds * i64::from(RATE)) as u32;
            let all = deviations(jump.wrapping_sub(u32::from(seconds < 0) * 1600));
            assert!(all[..100].iter().all(|deviation| *deviation == 0));
            // 20 ms more or less by how long the packets took.
            assert!(
                all[100..].iter().all(|deviation| deviation.abs() <= 160),
                "{seconds} s: {:?}",
                &all[98..104]
            );
            assert!(
                all[101..].iter().all(|deviation| *deviation == all[100]),
                "one hitch"
            );
        }
    }

    #[test]
    fn small_steps_pauses_and_bursts_are_passed_on() {
        assert!(
            deviations(RATE / 2)
                .iter()
                .all(|deviation| [0, 4000].contains(deviation))
        );
        let mut stamps = Timestamps::new(RATE);
        let packets = [
            (0, 1, 0),
            // A pause of an hour.
            (3_600_000, 2, 28_800_000),
            // Held up for 6 s, and then all at once.
            (3_606_000, 3, 28_800_160),
            (3_606_000, 4, 28_800_320),
            // Lost ones between.
            (3_606_000, 40, 28_806_080),
        ];
        for (ms, sequence, timestamp) in packets {
            assert_eq!(stamps.on_packet(ms * MS, sequence, timestamp), timestamp);
        }
    }

    #[test]
    fn a_late_packet_has_its_place_before_the_jump() {
        let mut stamps = Timestamps::new(RATE);
        stamps.on_packet(0, 10, 1000);
        stamps.on_packet(40 * MS, 12, 1320);
        let jumped = stamps.on_packet(60 * MS, 13, 9_000_000);
        assert_eq!(jumped, 1480);
        assert_eq!(stamps.on_packet(61 * MS, 11, 1160), 1160);
        assert_eq!(stamps.on_packet(80 * MS, 14, 9_000_160), 1640);
        assert_eq!(stamps.map(9_000_320), 1800);
    }

    /// Field report 13.
    #[test]
    fn units_that_a_sender_counts_twice_count_once() {
        let mut timestamps = Timestamps::new(RATE);
        let mut sent = u32::MAX - 1000;
        let mut given = Vec::new();
        for number in 0..40_u16 {
            let arrival = i64::from(number) * 20 * MS;
            given.push(timestamps.on_lasting(arrival, 65_530_u16.wrapping_add(number), sent, 160));
            sent = sent.wrapping_add(if number < 15 { 320 } else { 160 });
        }
        let steps: Vec<_> = given
            .windows(2)
            .map(|two| two[1].wrapping_sub(two[0]))
            .collect();
        assert_eq!(steps, vec![160; 39]);
        // What is late, and what is lost, keeps its place.
        let late = timestamps.on_lasting(800 * MS, 29, sent.wrapping_sub(5 * 160), 160);
        assert_eq!(late, given[35]);
        let behind = timestamps.on_lasting(860 * MS, 36, sent.wrapping_add(320), 160);
        assert_eq!(behind, given[39].wrapping_add(480));
    }
}
