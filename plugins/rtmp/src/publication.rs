//! Media to a server, over one connection.

use std::{os::fd::OwnedFd, sync::atomic::Ordering::Relaxed, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::{Instant, interval, timeout},
};

use crate::{
    connection::Connection,
    failure::Failure,
    media::{Backlog, Formats, Keyframes, Kind, LOOK, MS, Muxer, Rate, Silence},
    protocol::Client,
    round_trip::round_trip,
    task::Work,
};

/// A server that takes nothing for so long is given up.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often time alone is looked at.
const TICK: Duration = Duration::from_nanos(LOOK.unsigned_abs());
/// Bytes on their way beyond which nothing is added: what waits before that can be left out.
const MOST_WAITING: usize = 64 << 10;
/// Bytes that are read at once.
const PIECE: usize = 4 << 10;

/// Sends media until the publisher is released.
///
/// # Errors
/// [`Failure`]: the connection is lost
pub(crate) async fn publish(
    mut connection: Connection,
    work: &Work,
    formats: Formats,
) -> Result<(), Failure> {
    let mut sending = Sending::new(work, formats);
    let mut piece = vec![0; PIECE];
    let mut tick = interval(TICK);
    let mut progress = Instant::now();
    loop {
        if work.feed.is_released() {
            connection.close().await;
            return Ok(());
        }
        sending.fill(&mut connection.client);
        let waits = !connection.client.out().is_empty();
        if !waits {
            progress = Instant::now();
        } else if progress.elapsed() > PATIENCE {
            return Err(Failure::Stalled);
        }
        tokio::select! {
            read = connection.reader.read(&mut piece) => {
                let length = read?;
                if length == 0 {
                    return Err(Failure::Closed);
                }
                // What leads elsewhere belongs before this; a server that says it now is left all the same.
                if connection.client.on_data(piece.get(..length).unwrap_or_default())?.is_some() {
                    return Err(Failure::Closed);
                }
            }
            written = connection.writer.write(connection.client.out()), if waits => {
                let length = written?;
                if length == 0 {
                    return Err(Failure::Closed);
                }
                connection.client.out().drain(..length);
                progress = Instant::now();
                sending.sent(length);
                // What is encrypted may have been kept.
                timeout(PATIENCE, connection.writer.flush()).await.map_err(|_| Failure::Stalled)??;
            }
            () = work.feed.changed() => {}
            _ = tick.tick() => sending.tick(&connection.socket),
        }
    }
}

/// The media of one connection.
struct Sending<'a> {
    work: &'a Work,
    backlog: Backlog,
    muxer: Muxer,
    silence: Silence,
    rate: Rate,
    /// Sound and pictures: some came in the format that they are to have.
    begun: (bool, bool),
    sent: u64,
    /// Time of the latest message, ns of the stream.
    latest: i64,
    keyframes: Keyframes,
}

impl<'a> Sending<'a> {
    fn new(work: &'a Work, formats: Formats) -> Self {
        let now = work.listener.now();
        let rate = Rate::new(u64::from(work.settings.max_video_bitrate), now);
        let interval = i64::from(work.settings.keyframe_interval) * 1000 * MS;
        let sending = Self {
            work,
            backlog: Backlog::new(),
            muxer: Muxer::new(formats),
            silence: Silence::default(),
            rate,
            begun: (false, false),
            sent: 0,
            latest: 0,
            keyframes: Keyframes::new(interval, now),
        };
        sending.ask_for(sending.rate.asked());
        work.listener.request_keyframe();
        sending
    }

    /// Takes what has come, and adds to what is on its way as much as is useful.
    fn fill(&mut self, client: &mut Client) {
        let now = self.work.listener.now();
        let (audio, video) = self.work.feed.expected();
        self.backlog.expect(Kind::Audio, audio.is_some(), now);
        self.backlog.expect(Kind::Video, video.is_some(), now);
        let taken = self.work.feed.take();
        for (at, frame) in taken.frames {
            let (expected, begun) = match frame.kind {
                Kind::Audio => (audio, &mut self.begun.0),
                Kind::Video => (video, &mut self.begun.1),
            };
            // What a server says that it takes changes what comes, and a frame of before may be on its way: a stream that
            // began with it would change its encoding at once, and players keep to the first.
            *begun |= expected.is_none_or(|expected| self.muxer.is_alike(expected, frame.format));
            if *begun {
                if frame.kind == Kind::Video && frame.is_keyframe {
                    self.keyframes.on_keyframe(at);
                }
                self.backlog.push(frame, at);
            }
        }
        if taken.lost > 0 {
            self.backlog.broken();
        }
        let dropped = taken.lost + self.backlog.take_dropped();
        self.work.figures.dropped.fetch_add(dropped, Relaxed);
        while client.out().len() < MOST_WAITING {
            let Some(outgoing) = self.backlog.pop(now) else {
                return;
            };
            let is_video = outgoing.frame.kind == Kind::Video;
            let mut send = |kind, time, body| client.send(kind, time, body);
            if !is_video {
                self.silence.interrupt();
            } else if self.work.sends_silence && !self.backlog.has_sound(now) {
                for time in self.silence.up_to(outgoing.time, self.latest) {
                    self.muxer.silence(time, &mut send);
                }
            }
            if let Some(sound) = self.backlog.next_sound()
                && is_video
                && !self.muxer.has_begun()
            {
                self.muxer.foretell(sound);
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
    fn tick(&mut self, socket: &OwnedFd) {
        self.work.figures.set_round_trip(round_trip(socket));
        let now = self.work.listener.now();
        let is_needed = self.backlog.needs_keyframe();
        if self.keyframes.take_request(now, is_needed) {
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
