//! Receiving: datagrams to their participants.

use std::{net::IpAddr, time::Instant};

use rivero_net::BATCH;

use super::Generator;

use crate::{
    error::Error,
    participant::{self, Arrival},
    traffic::Stamp,
};

/// Receive calls per socket before others get their turn.
const TURNS: usize = 16;

impl Generator {
    /// Receives from all sockets that have something.
    pub(super) fn receive(&mut self) -> Result<(), Error> {
        for number in 0..self.sockets.len() {
            for _ in 0..TURNS {
                if self.readable.get(number) != Some(&true) {
                    break;
                }
                let more = self.receive_from(number)?;
                if let Some(readable) = self.readable.get_mut(number) {
                    *readable = more;
                }
            }
        }
        while let Some(number) = self.touched.pop() {
            self.settle(number);
        }
        Ok(())
    }

    fn receive_from(&mut self, number: usize) -> Result<bool, Error> {
        let Some(socket) = self.sockets.get(number) else {
            return Ok(false);
        };
        let (participants, window) = (&mut self.participants, &mut self.window);
        let (source, touched, epoch) = (&mut self.source, &mut self.touched, self.epoch);
        let received = socket.receive(&mut self.buffers, |local, remote, data| {
            let IpAddr::V4(address) = local.ip() else {
                return;
            };
            let Some(number) = participant::number(address) else {
                return;
            };
            let Some(participant) = participants.get_mut(number) else {
                return;
            };
            let now = Instant::now();
            let time = (now, Stamp::time(epoch, now));
            match participant.datagram(time, local, remote, data, window) {
                Arrival::Media => {}
                Arrival::KeyframeRequest => {
                    if let Some(source) = source {
                        source.request_keyframe(now);
                    }
                }
                Arrival::Transport => touched.push(number),
            }
        });
        match received {
            Ok(messages) => {
                // On loopback each message arrives as it was sent.
                self.messages += messages as u64;
                Ok(messages == BATCH)
            }
            // An ICMP error of an earlier datagram, say: the next call goes on.
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => Ok(true),
            Err(error) => Err(Error::system("receiving")(error)),
        }
    }
}
