//! What all sessions of a module together have lost and asked for, by direction and codec, for `/metrics`.
//!
//! A session adds what is new with each of its reports, and whoever comes a second after the latest time tells
//! the host of everything: a thousand viewers on a bad path take its locks no more often than one.

use std::{
    collections::BTreeMap,
    sync::Mutex,
    time::{Duration, Instant},
};

use rivero_plugin_api::{host, supervise::lock};
use serde_json::json;

use super::{Session, track::Track};

/// Between two times that the host is told.
const PERIOD: Duration = Duration::from_secs(1);

/// Counted of a stream, or of many.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Losses {
    /// Packets that did not arrive (RFC 3550 §6.4.1).
    pub(crate) packets: u64,
    /// Generic NACK messages (RFC 4585 §6.2.1).
    pub(crate) nack: u64,
    /// Requests for keyframes: PLI (RFC 4585 §6.3.1) and FIR (RFC 5104 §4.3.1).
    pub(crate) pli: u64,
}

impl Losses {
    pub(crate) fn add(&mut self, other: Losses) {
        self.packets += other.packets;
        self.nack += other.nack;
        self.pli += other.pli;
    }

    /// What came since. A stream that ended takes its counts along, and late packets take losses back: nothing
    /// is new then.
    fn since(self, former: Losses) -> Losses {
        Losses {
            packets: self.packets.saturating_sub(former.packets),
            nack: self.nack.saturating_sub(former.nack),
            pli: self.pli.saturating_sub(former.pli),
        }
    }

    fn counters(self) -> [(&'static str, u64); 3] {
        [
            ("rtp_packets_lost_total", self.packets),
            ("rtp_nacks_total", self.nack),
            ("rtp_keyframe_requests_total", self.pli),
        ]
    }
}

/// What a session has added already of a track, in and out.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Told([[Losses; 2]; 2]);

/// By direction and format, as the host numbers it.
#[derive(Default)]
struct Totals {
    news: BTreeMap<(&'static str, u32), Losses>,
    told: Option<Instant>,
}

static TOTALS: Mutex<Totals> = Mutex::new(Totals {
    news: BTreeMap::new(),
    told: None,
});

impl Session {
    /// Adds what is new, with a report.
    pub(super) fn count_losses(&mut self, now: Instant) {
        let mut news = Vec::new();
        for (track, told) in self.tracks.iter().zip(&mut self.told.0) {
            let counted = of_track(track).into_iter().zip(told);
            for (((direction, format), losses), told) in counted {
                let new = losses.since(*told);
                *told = losses;
                if new != Losses::default() {
                    news.push(((direction, format), new));
                }
            }
        }
        add(&news, now);
    }
}

fn of_track(track: &Track) -> [((&'static str, u32), Losses); 2] {
    let received = track.receiver.as_ref();
    let received = received.map(|receiver| (receiver.format(), receiver.losses()));
    let sent = track.sender.as_ref();
    let sent = sent.map(|sender| (sender.format(), sender.losses()));
    [("in", received), ("out", sent)].map(|(direction, counted)| {
        let (format, losses) = counted.unwrap_or_default();
        ((direction, format.unwrap_or(0)), losses)
    })
}

fn add(news: &[((&'static str, u32), Losses)], now: Instant) {
    let mut totals = lock(&TOTALS);
    for (key, losses) in news {
        totals.news.entry(*key).or_default().add(*losses);
    }
    let is_due = { totals.told }.is_none_or(|told| now.duration_since(told) >= PERIOD);
    if totals.news.is_empty() || !is_due {
        return;
    }
    totals.told = Some(now);
    let news = std::mem::take(&mut totals.news);
    drop(totals);
    let Some(host) = host() else { return };
    for ((direction, format), losses) in news {
        let format = host.format(format);
        let codec = format.map_or_else(String::new, |format| format.encoding);
        let labels = json!({ "direction": direction, "codec": codec });
        for (name, count) in losses.counters() {
            if count > 0 {
                host.count(name, &labels, count as f64);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_back_is_nothing_new() {
        let former = Losses {
            packets: 5,
            nack: 2,
            pli: 1,
        };
        let now = Losses {
            packets: 3,
            nack: 4,
            pli: 1,
        };
        let new = Losses {
            nack: 2,
            ..Losses::default()
        };
        assert_eq!(now.since(former), new);
    }
}
