//! Who publishes to an ingest: one at a time.
//!
//! A publisher whose network is gone does not say so, and comes again within seconds: it would be refused until TCP gives
//! up. So one that is silent yields to the next; one that sends keeps its place. Neither OBS nor FFmpeg answers pings:
//! what counts is media.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use rivero_plugin_api::supervise::lock;
use tokio::{
    sync::Notify,
    time::{Instant, sleep_until},
};

use crate::{
    attempts::Reports,
    figures::Figures,
    output::{Output, Reception},
    protocol::Message,
};

/// A publisher that is silent for so long yields.
pub(crate) const SILENCE: Duration = Duration::from_secs(5);
/// How often somebody who waits looks whether the other one still sends.
const LOOK: Duration = Duration::from_millis(100);

/// The place of an ingest's publisher.
pub(crate) struct Seat {
    output: Arc<Output>,
    figures: Arc<Figures>,
    reports: Arc<dyn Reports>,
    occupant: Mutex<Occupancy>,
}

#[derive(Default)]
struct Occupancy {
    /// Of the latest visit.
    number: u64,
    current: Option<Occupant>,
    /// The ingest is gone.
    is_closed: bool,
}

struct Occupant {
    number: u64,
    /// When media came last.
    heard: Instant,
    /// Told when another one has taken the place.
    leave: Arc<Notify>,
    reception: Reception,
}

/// A place that was taken; dropping it leaves it.
pub(crate) struct Taken {
    seat: Arc<Seat>,
    number: u64,
    leave: Arc<Notify>,
    reason: String,
}

impl Seat {
    pub(crate) fn new(
        output: Arc<Output>,
        figures: Arc<Figures>,
        reports: Arc<dyn Reports>,
    ) -> Self {
        Self {
            output,
            figures,
            reports,
            occupant: Mutex::default(),
        }
    }

    /// What is counted of its publishers.
    pub(crate) fn figures(&self) -> &Figures {
        &self.figures
    }

    /// Takes the place, of a silent publisher as well; `None` when somebody publishes who is alive, which shows at once
    /// or after [`SILENCE`].
    pub(crate) async fn take(self: &Arc<Self>) -> Option<Taken> {
        let came = Instant::now();
        loop {
            let heard = {
                let occupancy = lock(&self.occupant);
                occupancy.current.as_ref().map(|occupant| occupant.heard)
            };
            match heard {
                None => return self.occupy(),
                Some(heard) if heard.elapsed() >= SILENCE => return self.occupy(),
                Some(heard) if heard > came => return None,
                Some(heard) => sleep_until((heard + SILENCE).min(Instant::now() + LOOK)).await,
            }
        }
    }

    /// Lets nobody in any more; whoever publishes has to go.
    pub(crate) fn close(&self) {
        let current = {
            let mut occupancy = lock(&self.occupant);
            occupancy.is_closed = true;
            occupancy.current.take()
        };
        if let Some(occupant) = current {
            occupant.leave.notify_one();
        }
    }

    /// `None` when the ingest is gone.
    fn occupy(self: &Arc<Self>) -> Option<Taken> {
        let leave = Arc::new(Notify::new());
        let (number, former) = {
            let mut occupancy = lock(&self.occupant);
            if occupancy.is_closed {
                return None;
            }
            occupancy.number += 1;
            let number = occupancy.number;
            let occupant = Occupant {
                number,
                heard: Instant::now(),
                leave: leave.clone(),
                reception: Reception::new(self.output.clone(), self.figures.clone()),
            };
            (number, occupancy.current.replace(occupant))
        };
        if let Some(former) = former {
            former.leave.notify_one();
            self.left("another publisher has come, and this one was silent");
        }
        self.figures.begin(number);
        self.reports.connected();
        Some(Taken {
            seat: self.clone(),
            number,
            leave,
            reason: String::new(),
        })
    }

    fn left(&self, reason: &str) {
        self.figures.end(reason);
        self.reports.disconnected(reason);
    }
}

impl Taken {
    /// Media of this publisher, which came at `now`, ns on the pipeline's clock; `false` when the place is another's.
    pub(crate) fn deliver(&self, messages: &[Message], now: i64) -> bool {
        let mut occupancy = lock(&self.seat.occupant);
        match &mut occupancy.current {
            Some(occupant) if occupant.number == self.number => {
                if occupant.reception.on_messages(messages, now) {
                    occupant.heard = Instant::now();
                }
                true
            }
            _ => false,
        }
    }

    /// Waits until another one has taken the place.
    pub(crate) async fn lost(&self) {
        self.leave.notified().await;
    }

    pub(crate) fn figures(&self) -> &Figures {
        self.seat.figures()
    }

    /// There is a mistake in what is done for this publisher.
    pub(crate) fn panicked(&self, text: &str) {
        self.seat.reports.panicked(text);
    }

    /// Leaves the place, and says why.
    pub(crate) fn leave(mut self, reason: String) {
        self.reason = reason;
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        let current = {
            let mut occupancy = lock(&self.seat.occupant);
            let is_own = |occupant: &mut Occupant| occupant.number == self.number;
            occupancy.current.take_if(is_own)
        };
        // Whoever has taken it has said so.
        if current.is_some() {
            let reason = match self.reason.as_str() {
                "" => "the connection was given up",
                reason => reason,
            };
            self.seat.left(reason);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{failure::Failure, protocol::AUDIO};

    #[derive(Default)]
    struct Told(Mutex<Vec<String>>);

    impl Reports for Told {
        fn connected(&self) {
            lock(&self.0).push("connected".to_owned());
        }
        fn disconnected(&self, reason: &str) {
            lock(&self.0).push(reason.to_owned());
        }
        fn reconnecting(&self, _: u32) {}
        fn gave_up(&self, _: &Failure) {}
        fn panicked(&self, _: &str) {}
    }

    fn seat() -> (Arc<Seat>, Arc<Told>) {
        let told = Arc::new(Told::default());
        let output = Output::without_pads();
        let seat = Seat::new(output, Arc::default(), told.clone());
        (Arc::new(seat), told)
    }

    fn sound() -> Message {
        Message {
            kind: AUDIO,
            time: 0,
            stream: 1,
            body: vec![0xaf, 1, 2],
        }
    }

    /// Field report 36.
    #[tokio::test(start_paused = true)]
    async fn a_living_publisher_keeps_its_place_and_a_silent_one_yields() {
        let (seat, told) = seat();
        let first = seat.take().await.unwrap();
        let other = seat.clone();
        let second = tokio::spawn(async move { other.take().await.is_some() });
        tokio::time::sleep(Duration::from_millis(150)).await;
        assert!(first.deliver(&[sound()], 0));
        assert!(!second.await.unwrap());
        let begin = Instant::now();
        let third = seat.take().await.unwrap();
        let waited = begin.elapsed();
        assert!(
            waited > Duration::from_secs(4) && waited <= SILENCE,
            "{waited:?}"
        );
        first.lost().await;
        assert!(!first.deliver(&[sound()], 0) && third.deliver(&[sound()], 0));
        drop(first);
        third.leave("gone".to_owned());
        let told = lock(&told.0).join(", ");
        assert_eq!(
            told,
            "connected, another publisher has come, and this one was silent, connected, gone"
        );
        assert!(seat.take().await.is_some(), "at once");
        seat.close();
        assert!(seat.take().await.is_none());
    }
}
