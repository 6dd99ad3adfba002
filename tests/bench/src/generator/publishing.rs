//! Sending: the publisher's packets when they are due, and everybody's reports.

use std::time::{Duration, Instant};

use rivero_net::{Mark, MediaSocket};

use super::{Generator, PUBLISHER};

use crate::{error::Error, source::Source};

impl Generator {
    /// Sends the packets that are due: those of one frame in one call, as far as they are due
    /// together.
    pub(super) fn publish(&mut self) -> Result<(), Error> {
        while let Some(source) = &mut self.source {
            if source.due() > Instant::now() {
                return Ok(());
            }
            let frame_start = source.at_frame_start().then(|| source.frame());
            let (Some(publisher), Some(socket)) =
                (self.participants.get_mut(PUBLISHER), self.sockets.first())
            else {
                return Ok(());
            };
            let Some(path) = publisher.peer.path() else {
                return Ok(());
            };
            let together = self.traffic.sends_together();
            let segment = write_due(source, &mut publisher.peer, together, &mut self.scratch)?;
            let several = self.scratch.len() > segment;
            self.recorded
                .add(self.scratch.get(..segment).unwrap_or_default());
            let (data, segment) = (&self.scratch, several.then_some(segment));
            socket.send(path.local.ip(), path.remote, data, segment, Mark::default());
            if let Some(frame) = frame_start {
                self.report(frame)?;
            }
        }
        Ok(())
    }

    /// Everybody reports once per second; who does at this frame follows from their number.
    fn report(&mut self, frame: u32) -> Result<(), Error> {
        let rate = self.traffic.frame_rate() as usize;
        let turn = frame as usize % rate;
        if turn == PUBLISHER {
            self.report_as_sender()?;
        }
        let turn = if turn == PUBLISHER { rate } else { turn };
        for viewer in self.participants.iter_mut().skip(turn).step_by(rate) {
            let (Some(path), Some(socket)) = (viewer.peer.path(), self.sockets.get(viewer.socket))
            else {
                continue;
            };
            // Who has received nothing yet has nothing to report.
            if viewer.write_report(&mut self.scratch).is_ok() {
                self.recorded.add(&self.scratch);
                socket.send(
                    path.local.ip(),
                    path.remote,
                    &self.scratch,
                    None,
                    Mark::default(),
                );
            }
        }
        Ok(())
    }

    /// Has the viewers whose turn it is tell when packets arrived. Their turns are spread evenly over
    /// the interval, as those of independent viewers are.
    pub(super) fn tell_arrivals(&mut self) {
        let (now, viewers) = (Instant::now(), self.participants.len().saturating_sub(1));
        while let Some((due, turn)) = self.feedback.filter(|(due, _)| *due <= now) {
            let viewer = self.participants.get_mut(1 + turn);
            if let Some(viewer) = viewer
                && let Some(path) = viewer.peer.path()
                && let Some(socket) = self.sockets.get(viewer.socket)
                && viewer.write_feedback(now, &mut self.scratch)
            {
                self.feedback_bytes = self.scratch.len();
                self.recorded.add(&self.scratch);
                socket.send(
                    path.local.ip(),
                    path.remote,
                    &self.scratch,
                    None,
                    Mark::default(),
                );
            }
            let pause = self.traffic.feedback_interval / divisor(viewers);
            // After a stalled machine go on from here instead of catching up.
            let late = now.saturating_duration_since(due) > Duration::from_millis(200);
            let next = if late { now } else { due } + pause;
            self.feedback = Some((next, (turn + 1) % viewers.max(1)));
        }
    }

    fn report_as_sender(&mut self) -> Result<(), Error> {
        let source = self.source.as_ref().map(Source::report);
        let publisher = self.participants.get_mut(PUBLISHER);
        let socket: Option<&MediaSocket> = self.sockets.first();
        if let (Some(report), Some(publisher), Some(socket)) = (source, publisher, socket)
            && let Some(path) = publisher.peer.path()
        {
            self.scratch.clear();
            publisher
                .peer
                .protect_rtcp(report.as_bytes(), &mut self.scratch)?;
            socket.send(
                path.local.ip(),
                path.remote,
                &self.scratch,
                None,
                Mark::default(),
            );
        }
        Ok(())
    }
}

/// A divisor that is not 0.
pub(super) fn divisor(number: usize) -> u32 {
    u32::try_from(number.max(1)).unwrap_or(u32::MAX)
}

/// Replaces `out` by the packets of one frame that are due, equal in size but the last, or, if not
/// `together`, by one packet; returns the size.
fn write_due(
    source: &mut Source,
    peer: &mut rivero_bench_peer::Peer,
    together: bool,
    out: &mut Vec<u8>,
) -> Result<usize, Error> {
    let now = Instant::now();
    out.clear();
    let segment = source.write(peer, now, out)?;
    while together && !source.at_frame_start() && source.due() <= now {
        source.write(peer, now, out)?;
    }
    Ok(segment)
}
