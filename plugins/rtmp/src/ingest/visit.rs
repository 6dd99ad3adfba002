//! One connection of somebody who publishes.

use std::{collections::HashMap, io, os::fd::AsFd, sync::Arc, sync::Mutex, time::Duration};

use rivero_plugin_api::supervise::{contain_future, lock};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, interval, timeout, timeout_at},
};

use super::{Seat, seat::Taken};
use crate::{
    connection::random,
    meter::Meter,
    playback::now,
    protocol::{Request, Session, Violation},
    round_trip::round_trip,
};

/// For the handshake.
const HANDSHAKE: Duration = Duration::from_secs(5);
/// Until a client has said what it wants to publish.
const ASKING: Duration = Duration::from_secs(10);
/// A client that takes no answer for so long is given up.
const PATIENCE: Duration = Duration::from_secs(10);
/// One that sends nothing at all for so long has gone without saying so.
const SILENCE: Duration = Duration::from_secs(30);
/// A client that was refused is to close the connection, lest the refusal is lost with it.
const LEAVING: Duration = Duration::from_secs(1);
const TICK: Duration = Duration::from_secs(1);
/// Bytes that are read at once.
const PIECE: usize = 64 << 10;

/// The seats by their paths.
pub(super) type Seats = Arc<Mutex<HashMap<String, Arc<Seat>>>>;

/// Why a connection has ended. No text has the key.
#[derive(Debug, thiserror::Error)]
pub(super) enum End {
    #[error(transparent)]
    Network(#[from] io::Error),
    #[error(transparent)]
    Violation(#[from] Violation),
    #[error("the publisher closed the connection")]
    Closed,
    #[error("the publisher has ended the stream")]
    Done,
    #[error("the handshake takes longer than 5 s")]
    Handshake,
    #[error("nothing is published within 10 s")]
    Asks,
    #[error("there is no stream of this name")]
    Unknown,
    #[error("somebody else publishes under this name")]
    Occupied,
    #[error("the publisher takes no answer")]
    Stalled,
    #[error("the publisher has sent nothing for 30 s")]
    Mute,
    #[error("another publisher has come, and this one was silent")]
    Replaced,
    #[error("the server has a mistake")]
    Panicked,
}

impl End {
    /// What it is counted as, where a client was not let in.
    pub(super) fn refusal(&self) -> Option<&'static str> {
        match self {
            Self::Unknown => Some("unknown"),
            Self::Occupied => Some("occupied"),
            Self::Handshake | Self::Asks => Some("slow"),
            Self::Violation(Violation::TooMuch) => Some("too much"),
            _ => None,
        }
    }
}

/// A client, from its handshake on.
struct Visit {
    stream: TcpStream,
    session: Session,
    piece: Vec<u8>,
}

/// Attends to a client until it goes; why it did.
pub(super) async fn attend(stream: TcpStream, seats: &Seats) -> End {
    let mut visit = Visit {
        stream,
        session: Session::new(random()),
        piece: vec![0; PIECE],
    };
    let end = match visit.enter(seats).await {
        Ok(seat) => {
            let end = match contain_future(visit.receive(&seat)).await {
                Ok(Ok(())) => End::Done,
                Ok(Err(end)) => end,
                Err(text) => {
                    seat.panicked(&text);
                    End::Panicked
                }
            };
            seat.leave(end.to_string());
            end
        }
        Err(end) => end,
    };
    if matches!(end, End::Unknown | End::Occupied) {
        let _ = timeout(LEAVING, visit.turn_away(&end.to_string())).await;
    }
    end
}

impl Visit {
    /// Up to the seat.
    async fn enter(&mut self, seats: &Seats) -> Result<Taken, End> {
        let path = self.request().await?;
        let seat = lock(seats).get(&path).cloned().ok_or(End::Unknown)?;
        let taken = seat.take().await.ok_or(End::Occupied)?;
        self.session.accept();
        Ok(taken)
    }

    /// What the client wants to publish.
    async fn request(&mut self) -> Result<String, End> {
        let begin = Instant::now();
        loop {
            let (limit, late) = if self.session.is_welcome() {
                (begin + ASKING, End::Asks)
            } else {
                (begin + HANDSHAKE, End::Handshake)
            };
            let read = timeout_at(limit, self.stream.read(&mut self.piece)).await;
            let length = read.map_err(|_| late)??;
            if length == 0 {
                return Err(End::Closed);
            }
            let data = self.piece.get(..length).unwrap_or_default();
            if let Some(Request::Publish(path)) = self.session.on_data(data)? {
                return Ok(path);
            }
            self.write_all().await?;
        }
    }

    async fn receive(&mut self, seat: &Taken) -> Result<(), End> {
        let mut meter = Meter::default();
        let mut tick = interval(TICK);
        let mut heard = Instant::now();
        // Commands may have come behind the one that was answered.
        let mut length = 0;
        loop {
            let data = self.piece.get(..length).unwrap_or_default();
            let request = self.session.on_data(data)?;
            if !seat.deliver(&self.session.take_media(), now()) {
                return Err(End::Replaced);
            }
            self.write_all().await?;
            if request == Some(Request::End) {
                return Ok(());
            }
            length = 0;
            tokio::select! {
                read = self.stream.read(&mut self.piece) => {
                    length = read?;
                    if length == 0 {
                        return Err(End::Closed);
                    }
                    heard = Instant::now();
                    seat.figures().count(length);
                    meter.count(length);
                }
                () = seat.lost() => return Err(End::Replaced),
                _ = tick.tick() => {
                    if heard.elapsed() > SILENCE {
                        return Err(End::Mute);
                    }
                    let measured = round_trip(&self.stream.as_fd());
                    seat.figures().measure(measured, meter.bitrate());
                }
            }
        }
    }

    async fn write_all(&mut self) -> Result<(), End> {
        let out = self.session.out();
        if out.is_empty() {
            return Ok(());
        }
        let written = timeout(PATIENCE, self.stream.write_all(out)).await;
        written.map_err(|_| End::Stalled)??;
        out.clear();
        Ok(())
    }

    /// Says no, and waits until the client has heard it.
    async fn turn_away(&mut self, why: &str) -> Result<(), End> {
        self.session.refuse(why);
        self.write_all().await?;
        self.stream.shutdown().await?;
        while self.stream.read(&mut self.piece).await? > 0 {}
        Ok(())
    }
}
