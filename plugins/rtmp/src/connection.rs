//! One connection to a server, from dialing to its end.

use std::{sync::atomic::Ordering::Relaxed, time::Duration};

use ring::rand::{SecureRandom, SystemRandom};
use rivero_http::{Dialer, Stream};
use rivero_uri::{Access, Location};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf, split},
    time::{Instant, interval, timeout, timeout_at},
};

use crate::{
    failure::Failure,
    media::{Backlog, Formats, Kind, MS, Muxer, Rate, Silence},
    protocol::{Again, Publisher, RANDOM, Said, Target},
    task::Work,
};

/// From dialing until media may be sent, redirections and logins included.
const CONNECTING: Duration = Duration::from_secs(10);
/// A server that takes nothing for so long is given up.
const PATIENCE: Duration = Duration::from_secs(10);
/// For what is left to be sent when a publisher is released.
const ENDING: Duration = Duration::from_secs(1);
/// How often time alone is looked at.
const TICK: Duration = Duration::from_millis(100);
/// Bytes on their way beyond which nothing is added: what waits before that can be left out.
const MOST_WAITING: usize = 64 << 10;
/// The system's part of that: a second at 2 Mbit/s.
const SEND_BUFFER: u32 = 256 << 10;
/// Connections that a server's answers lead to.
const MOST_STEPS: usize = 4;
/// Bytes that are read at once.
const PIECE: usize = 4 << 10;
/// A keyframe that was asked for is asked for again after this, ns.
const KEYFRAME_RETRY: i64 = 500 * MS;

/// A connection whose server lets media in.
pub(crate) struct Connection {
    reader: ReadHalf<Box<dyn Stream>>,
    writer: WriteHalf<Box<dyn Stream>>,
    publisher: Publisher,
}

impl Connection {
    /// Connects to a server, and to where it leads from there. Each of the places is asked of the policy.
    ///
    /// # Errors
    /// [`Failure`]
    pub(crate) async fn open(work: &Work) -> Result<Self, Failure> {
        let dialer = Dialer::new(work.policy.clone()).with_send_buffer(SEND_BUFFER);
        let deadline = Instant::now() + CONNECTING;
        let mut target = work.target.clone();
        let mut again = Again::default();
        for _ in 0..MOST_STEPS {
            let step = Self::step(&dialer, target.clone(), std::mem::take(&mut again));
            let step = timeout_at(deadline, step).await;
            match step.map_err(|_| Failure::Silent)?? {
                Step::Open(connection) => return Ok(*connection),
                Step::Said(Said::Elsewhere(next)) => {
                    let location = Location::parse(&next.tc_url(), "")?;
                    dialer.policy().check(&location, Access::Write)?;
                    target = *next;
                }
                Step::Said(Said::Again(next)) => again = next,
                Step::Said(Said::Publishing) => {}
            }
        }
        Err(Failure::Circle)
    }

    async fn step(dialer: &Dialer, target: Target, again: Again) -> Result<Step, Failure> {
        let dialed = dialer.dial(&target.host, target.port, target.is_encrypted);
        let stream = dialed.await.map_err(Failure::of_dialing)?.stream;
        let mut random = [0; RANDOM];
        // Zeros would do as well: no secret depends on them.
        let _ = SystemRandom::new().fill(&mut random);
        let (reader, writer) = split(stream);
        let mut connection = Self {
            reader,
            writer,
            publisher: Publisher::new(target, again, &random),
        };
        let mut piece = vec![0; PIECE];
        loop {
            connection.write_all().await?;
            let length = connection.reader.read(&mut piece).await?;
            if length == 0 {
                return Err(Failure::Closed);
            }
            let said = connection
                .publisher
                .on_data(piece.get(..length).unwrap_or_default())?;
            match said {
                Some(Said::Publishing) => return Ok(Step::Open(Box::new(connection))),
                Some(said) => return Ok(Step::Said(said)),
                None => {}
            }
        }
    }

    async fn write_all(&mut self) -> Result<(), Failure> {
        let out = self.publisher.out();
        self.writer.write_all(out).await?;
        out.clear();
        self.writer.flush().await?;
        Ok(())
    }

    /// Sends media until the publisher is released.
    ///
    /// # Errors
    /// [`Failure`]: the connection is lost
    pub(crate) async fn serve(mut self, work: &Work, formats: Formats) -> Result<(), Failure> {
        let mut sending = Sending::new(work, formats);
        let mut piece = vec![0; PIECE];
        let mut tick = interval(TICK);
        let mut progress = Instant::now();
        loop {
            if work.feed.is_released() {
                self.publisher.close();
                // Whether the server hears it or not.
                let _ = timeout(ENDING, self.write_all()).await;
                return Ok(());
            }
            sending.fill(&mut self.publisher);
            let waits = !self.publisher.out().is_empty();
            if !waits {
                progress = Instant::now();
            } else if progress.elapsed() > PATIENCE {
                return Err(Failure::Stalled);
            }
            tokio::select! {
                read = self.reader.read(&mut piece) => {
                    let length = read?;
                    if length == 0 {
                        return Err(Failure::Closed);
                    }
                    // What leads elsewhere belongs before this; a server that says it now is left all the same.
                    if self.publisher.on_data(piece.get(..length).unwrap_or_default())?.is_some() {
                        return Err(Failure::Closed);
                    }
                }
                written = self.writer.write(self.publisher.out()), if waits => {
                    let length = written?;
                    if length == 0 {
                        return Err(Failure::Closed);
                    }
                    self.publisher.out().drain(..length);
                    progress = Instant::now();
                    sending.sent(length);
                    // What is encrypted may have been kept.
                    timeout(PATIENCE, self.writer.flush()).await.map_err(|_| Failure::Stalled)??;
                }
                () = work.feed.changed() => {}
                _ = tick.tick() => sending.tick(),
            }
        }
    }
}

/// What an attempt has led to.
enum Step {
    Open(Box<Connection>),
    Said(Said),
}

/// The media of one connection.
struct Sending<'a> {
    work: &'a Work,
    backlog: Backlog,
    muxer: Muxer,
    silence: Silence,
    rate: Rate,
    sent: u64,
    /// Time of the latest message, ns of the stream.
    latest: i64,
    /// When a keyframe was sent last, and when one was asked for, ns on the pipeline's clock.
    keyframe: i64,
    asked: i64,
}

impl<'a> Sending<'a> {
    fn new(work: &'a Work, formats: Formats) -> Self {
        let now = work.listener.now();
        let rate = Rate::new(u64::from(work.settings.max_video_bitrate), now);
        let sending = Self {
            work,
            backlog: Backlog::new(),
            muxer: Muxer::new(formats),
            silence: Silence::default(),
            rate,
            sent: 0,
            latest: 0,
            keyframe: now,
            asked: now,
        };
        sending.ask_for(sending.rate.asked());
        work.listener.request_keyframe();
        sending
    }

    /// Takes what has come, and adds to what is on its way as much as is useful.
    fn fill(&mut self, publisher: &mut Publisher) {
        let now = self.work.listener.now();
        let (audio, video) = self.work.feed.expected();
        self.backlog.expect(Kind::Audio, audio, now);
        self.backlog.expect(Kind::Video, video, now);
        let taken = self.work.feed.take();
        for (at, frame) in taken.frames {
            self.backlog.push(frame, at);
        }
        if taken.lost > 0 {
            self.backlog.broken();
        }
        let dropped = taken.lost + self.backlog.take_dropped();
        self.work.figures.dropped.fetch_add(dropped, Relaxed);
        while publisher.out().len() < MOST_WAITING {
            let Some(outgoing) = self.backlog.pop(now) else {
                return;
            };
            let is_video = outgoing.frame.kind == Kind::Video;
            let mut send = |kind, time, body| publisher.send(kind, time, body);
            if !is_video {
                self.silence.interrupt();
            } else if self.work.sends_silence && !self.backlog.has_sound(now) {
                for time in self.silence.up_to(outgoing.time, self.latest) {
                    self.muxer.silence(time, &mut send);
                }
            }
            if is_video && outgoing.frame.is_keyframe {
                self.keyframe = now;
            }
            if !self.muxer.write(&outgoing, &mut send) {
                self.backlog.broken();
            }
            self.latest = outgoing.time;
        }
    }

    fn sent(&mut self, length: usize) {
        let length = length as u64;
        self.sent += length;
        self.work.figures.bytes.fetch_add(length, Relaxed);
    }

    /// Does what time alone brings about: keyframes, and what the source is asked for.
    fn tick(&mut self) {
        let now = self.work.listener.now();
        let interval = i64::from(self.work.settings.keyframe_interval) * 1000 * MS;
        let is_due = now.saturating_sub(self.keyframe) >= interval || self.backlog.needs_keyframe();
        if is_due && now.saturating_sub(self.asked) >= KEYFRAME_RETRY {
            self.asked = now;
            self.work.listener.request_keyframe();
        }
        let age = self.backlog.age(now);
        if let Some(asked) = self.rate.look(self.sent, age, now) {
            self.ask_for(asked);
        }
        let throughput = self.rate.throughput();
        self.work.figures.bitrate.store(throughput, Relaxed);
    }

    fn ask_for(&self, bits_per_second: u64) {
        self.work.figures.asked.store(bits_per_second, Relaxed);
        self.work.listener.ask_for(bits_per_second);
    }
}

#[cfg(test)]
mod tests;
