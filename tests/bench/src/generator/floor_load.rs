//! The load of a floor: datagrams of the same sizes at the same times, without sessions.

use std::{
    net::{IpAddr, SocketAddr},
    time::{Duration, Instant},
};

use rivero_net::{BATCH, Mark};

use super::{Generator, PUBLISHER, publishing::divisor};

use crate::{
    error::Error,
    floor::{HEADER, TAG},
    participant,
    traffic::Traffic,
};

/// Between two looks at whether the measurement has ended.
const LOOK: Duration = Duration::from_millis(10);

/// Which packet comes next.
struct Beat {
    traffic: Traffic,
    begin: Instant,
    index: u64,
}

impl Beat {
    fn due(&self) -> Instant {
        self.begin + self.traffic.packet(self.index).due
    }

    /// Replaces `out` by the packets of one frame that are due, or by one where they do not leave
    /// together; returns the size of the first.
    fn write_due(&mut self, out: &mut Vec<u8>) -> usize {
        let (now, first) = (Instant::now(), self.traffic.packet(self.index));
        let length = |payload| HEADER + payload + TAG;
        out.clear();
        let mut planned = first;
        while planned.frame == first.frame && self.begin + planned.due <= now {
            out.resize(out.len() + length(planned.payload), 0x80);
            self.index += 1;
            planned = self.traffic.packet(self.index);
            if !self.traffic.sends_together() {
                break;
            }
        }
        length(first.payload)
    }
}

impl Generator {
    /// The address that the publisher sends from.
    pub(crate) fn publisher_address(&self) -> IpAddr {
        participant::address(PUBLISHER).into()
    }

    /// Sends to `target` what the publisher and the viewers send to a server, and takes what comes
    /// back without looking at it, until the measurement has `ended`.
    pub(crate) fn drive_floor(
        &mut self,
        target: SocketAddr,
        mut ended: impl FnMut() -> bool,
    ) -> Result<(), Error> {
        let (traffic, begin) = (self.traffic, Instant::now());
        let viewers = self.participants.len().saturating_sub(1);
        let pause = traffic.feedback_interval / divisor(viewers);
        let feedback = vec![0x81; self.feedback_bytes];
        let mut feedback_due = (!feedback.is_empty()).then_some(begin);
        let mut turn = 0;
        let mut beat = Beat {
            traffic,
            begin,
            index: 0,
        };
        while !ended() {
            let now = Instant::now();
            while beat.due() <= now {
                let segment = beat.write_due(&mut self.scratch);
                let segment = (self.scratch.len() > segment).then_some(segment);
                let (from, data) = (self.publisher_address(), &self.scratch);
                if let Some(socket) = self.sockets.first() {
                    socket.send(from, target, data, segment, Mark::default());
                }
            }
            while let Some(due) = feedback_due.filter(|due| *due <= now) {
                let viewer = self.participants.get(1 + turn);
                if let Some(socket) = viewer.and_then(|viewer| self.sockets.get(viewer.socket)) {
                    let from = participant::address(1 + turn).into();
                    socket.send(from, target, &feedback, None, Mark::default());
                }
                feedback_due = Some(due + pause);
                turn = (turn + 1) % viewers.max(1);
            }
            let next = [Some(beat.due()), feedback_due];
            let next = next.into_iter().flatten().fold(now + LOOK, Instant::min);
            self.discard(next.saturating_duration_since(Instant::now()))?;
        }
        Ok(())
    }

    /// Takes whatever has arrived, without looking at it, for a measurement of sending alone.
    pub(crate) fn discard_until(&mut self, mut ended: impl FnMut() -> bool) -> Result<(), Error> {
        while !ended() {
            self.discard(LOOK)?;
        }
        Ok(())
    }

    fn discard(&mut self, patience: Duration) -> Result<(), Error> {
        match self.poll.poll(&mut self.events, Some(patience)) {
            Err(error) if error.kind() != std::io::ErrorKind::Interrupted => {
                return Err(Error::system("epoll")(error));
            }
            _ => {}
        }
        for socket in &self.sockets {
            while let Ok(BATCH) = socket.receive(&mut self.buffers, |_, _, _| {}) {}
        }
        Ok(())
    }
}
