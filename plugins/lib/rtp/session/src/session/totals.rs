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
use crate::losses::Losses;

/// Between two times that the host is told.
const PERIOD: Duration = Duration::from_secs(1);

/// As they are counted.
fn counters(losses: Losses) -> [(&'static str, u64); 3] {
    [
        ("rtp_packets_lost_total", losses.packets),
        ("rtp_nacks_total", losses.nack),
        ("rtp_keyframe_requests_total", losses.pli),
    ]
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
        for (name, count) in counters(losses) {
            if count > 0 {
                host.count(name, &labels, count as f64);
            }
        }
    }
}
