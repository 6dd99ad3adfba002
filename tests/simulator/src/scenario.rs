//! What a run is made of.

use std::time::Duration;

use crate::link::Conditions;

pub(crate) const SECOND: Duration = Duration::from_secs(1);

/// Whether `now` is in one of the spans, seconds.
pub(crate) fn is_within(spans: &[(u64, u64)], now: Duration) -> bool {
    spans.iter().any(|(from, to)| {
        (SECOND.as_millis() * u128::from(*from)..SECOND.as_millis() * u128::from(*to))
            .contains(&now.as_millis())
    })
}

/// What a flow's video is, bit/s.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Video {
    /// An encoder follows what the path carries, within these bounds.
    Follows {
        /// However little the path carries.
        least: u64,
        /// However much it carries.
        most: u64,
    },
    /// Fixed encodings in ascending order, four at most, of which the viewer is sent one (simulcast).
    Encodings {
        /// Of each.
        rates: &'static [u64],
        /// The best of them is not sent from this second to that one.
        best_is_off: Option<(u64, u64)>,
    },
}

impl Video {
    /// What can be sent, in ascending order.
    pub(crate) fn encodings(&self) -> Vec<u64> {
        match self {
            Self::Follows { most, .. } => vec![*most],
            Self::Encodings { rates, .. } => rates.to_vec(),
        }
    }

    /// The same at that second.
    pub(crate) fn encodings_at(&self, second: u64) -> Vec<u64> {
        let mut encodings = self.encodings();
        if let Self::Encodings {
            best_is_off: Some((from, to)),
            ..
        } = self
            && (*from..*to).contains(&second)
        {
            encodings.pop();
        }
        encodings
    }
}

/// What is wrong with the sender reports of a flow (RFC 3550 §6.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WrongReports {
    /// Those about video say that pictures are two seconds later than they are.
    VideoIsOff,
    /// The wall clock in them is zero, as devices without one have it.
    NoWallClock,
    /// It stands still.
    WallClockStands,
    /// It is set forth by 1.7 s every 16 s, and back 8 s later.
    WallClockJumps,
    /// Timestamps go twice as fast as those of the media, as GStreamer 1.22's `webrtcbin` has them.
    DoubleSpeed,
    /// Timestamps are 0.
    NoTimestamp,
}

/// One call: a server that sends sound and video to a viewer, which answers as a browser does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flow {
    /// When it begins, s.
    pub start: u64,
    /// Of the two bottlenecks: which one its media passes. Its feedback passes the other one.
    pub direction: usize,
    /// What is sent.
    pub video: Video,
    /// When the camera is off, s.
    pub pauses: Vec<(u64, u64)>,
    /// What its path does to media…
    pub media: Conditions,
    /// …and to feedback.
    pub feedback: Conditions,
    /// How much faster the clock of the sending side runs, parts per million.
    pub drift: i64,
    /// What is wrong with its sender reports.
    pub wrong_reports: Option<WrongReports>,
}

/// A rate of a bottleneck: from this second on, kbit/s, 0 = no limit.
pub type RateStep = (u64, u64);

/// Flows that share two bottlenecks, one for each direction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scenario {
    /// In the table. Lower case, with hyphens.
    pub name: &'static str,
    /// How long it takes, s.
    pub length: u64,
    /// The rates of both bottlenecks, in the order of time.
    pub rates: [Vec<RateStep>; 2],
    /// What would wait longer at a bottleneck is lost, ms.
    pub queue: u64,
    /// Who shares them.
    pub flows: Vec<Flow>,
}

impl Scenario {
    /// Kbit/s of a direction at that second; `None` without a limit.
    pub(crate) fn rate_at(&self, direction: usize, second: u64) -> Option<u64> {
        let steps = self.rates.get(direction)?;
        let step = steps.iter().rfind(|(from, _)| *from <= second)?;
        Some(step.1).filter(|rate| *rate > 0)
    }
}
