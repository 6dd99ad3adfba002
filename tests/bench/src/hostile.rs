//! Datagrams of somebody who means harm, among those of calls that go on.

use std::time::{Duration, Instant};

use rand::{Rng, SeedableRng, rngs::StdRng};
use serde::Serialize;

use crate::{
    affinity::Cores,
    error::Error,
    generator::Generator,
    options::{Hostile, Options},
    server::Server,
};

/// Media before and after.
const SETTLE: Duration = Duration::from_secs(1);
/// From releasing everything to looking at what was given back.
const REST: Duration = Duration::from_secs(2);
/// Between two portions of hostile datagrams.
const TICK: Duration = Duration::from_millis(2);

/// What the calls and the server suffered.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Damage {
    /// Hostile datagrams.
    datagrams: u64,
    /// Packets of media that the publisher sent meanwhile.
    sent: u64,
    /// Packets that viewers lacked, all together.
    lost: u64,
    /// Packets that came more than once, all together.
    repeated: u64,
    /// Resident memory under media, before the first hostile datagram, KiB.
    before_kib: u64,
    /// Resident memory after the last one and after everything was released, KiB.
    after_kib: u64,
}

/// One call with viewers, and hostile datagrams at its server.
pub(crate) fn measure(options: &Options, hostile: &Hostile, cores: Cores) -> Result<Damage, Error> {
    let server = Server::start(&options.release_dir, cores)?;
    let outcome = attack(options, hostile, &server);
    if !outcome.as_ref().is_ok_and(|damage| damage.lost == 0) {
        eprintln!("the server's log:\n{}", server.log());
    }
    outcome
}

fn attack(options: &Options, hostile: &Hostile, server: &Server) -> Result<Damage, Error> {
    let process = server.process();
    let mut generator =
        Generator::new(server.address(), hostile.calls as usize, options.traffic())?;
    generator.record();
    generator.start_publishing()?;
    generator.prepare_viewers()?;
    generator.join_viewers(Duration::from_millis(10))?;
    generator.run_for(SETTLE)?;
    let before_kib = process.resident_kib()?;
    generator.open_window();
    let mut mutator = Mutator::new(hostile.seed, generator.take_recorded());
    let (begin, mut datagrams) = (Instant::now(), 0);
    while datagrams < hostile.datagrams {
        let due = begin.elapsed().as_secs_f64() * f64::from(hostile.rate);
        while datagrams < hostile.datagrams && (datagrams as f64) < due {
            generator.send_as_somebody(&mut mutator);
            datagrams += 1;
        }
        generator.run_for(TICK)?;
    }
    generator.run_for(SETTLE)?;
    generator.close_window();
    generator.run_for(SETTLE)?;
    let (sent, received, repeated) = generator.counted();
    generator.release()?;
    generator.run_for(REST)?;
    Ok(Damage {
        datagrams,
        sent,
        lost: (sent * u64::from(hostile.calls)).saturating_sub(received),
        repeated,
        before_kib,
        after_kib: process.resident_kib()?,
    })
}

/// Makes datagrams out of real ones: some whole, most damaged.
pub(crate) struct Mutator {
    random: StdRng,
    samples: Vec<Vec<u8>>,
    datagram: Vec<u8>,
}

impl Mutator {
    fn new(seed: u64, samples: Vec<Vec<u8>>) -> Self {
        Self {
            random: StdRng::seed_from_u64(seed),
            samples,
            datagram: Vec::new(),
        }
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.random.random_range(0..end.max(1))
    }

    /// The next datagram, 1 to 1,500 bytes.
    pub(crate) fn next(&mut self) -> &[u8] {
        self.datagram.clear();
        let sample = self.below(self.samples.len());
        let sample = self.samples.get(sample).map_or(&[][..], Vec::as_slice);
        self.datagram.extend_from_slice(sample);
        match self.below(8) {
            0 => {}
            1 => self.cut(),
            2 => self.splice(),
            3 => self.noise(),
            _ => self.flip(),
        }
        if self.datagram.is_empty() {
            self.datagram.push(0x80);
        }
        self.datagram.truncate(1500);
        &self.datagram
    }

    fn cut(&mut self) {
        let length = self.below(self.datagram.len());
        self.datagram.truncate(length);
    }

    /// The end of another one, or of the same once more.
    fn splice(&mut self) {
        self.cut();
        let other = self.below(self.samples.len());
        if let Some(other) = self.samples.get(other) {
            let from = self.random.random_range(0..=other.len());
            self.datagram
                .extend_from_slice(other.get(from..).unwrap_or_default());
        }
    }

    /// Keeps the first bytes, which say what it is.
    fn noise(&mut self) {
        let kept = self.below(24);
        for byte in self.datagram.iter_mut().skip(kept) {
            *byte = self.random.random();
        }
    }

    fn flip(&mut self) {
        for _ in 0..=self.below(6) {
            // Headers are hit as often as everything after them.
            let reach = if self.random.random() { 32 } else { usize::MAX };
            let at = self.below(self.datagram.len().min(reach));
            let byte = self.random.random();
            if let Some(old) = self.datagram.get_mut(at) {
                *old = byte;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn datagrams_are_made_of_samples_and_end() {
        let samples = vec![vec![1; 40], vec![2; 1500], Vec::new()];
        let mut mutator = Mutator::new(7, samples);
        let mut whole = 0;
        for _ in 0..1000 {
            let datagram = mutator.next();
            assert!((1..=1500).contains(&datagram.len()));
            whole += usize::from(datagram == [1; 40]);
        }
        assert!((1..500).contains(&whole), "{whole}");
    }
}
