//! An object in a pipeline without a server, and steps with it.

use super::plan::{Content, Fault, Finding, Kind, Piece, Step};
use super::random::Random;
use rivero_plugin_api::{Error, Format, Packet};
use rivero_testing::{Element, Linked, Loaded, Pipeline, Screen, Sender, is_panic, is_unanswered};
use serde_json::Value;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Senders by kind, which several threads use.
type Senders = Mutex<Vec<(Kind, Format, Sender)>>;

/// An object with what is connected to it.
pub(crate) struct Stage<'a> {
    pipeline: &'a Pipeline,
    object: Element,
    is_hub: bool,
    ports: Mutex<Vec<Element>>,
    senders: Senders,
    screen: Screen,
    findings: Mutex<Vec<Finding>>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What an error is, beside an answer that a client can do something with.
fn finding(error: &Error) -> Option<Finding> {
    let fault = match () {
        () if is_unanswered(error) => Fault::Unanswered,
        () if is_panic(error) || error.message.starts_with("the module panicked") => Fault::Panic,
        () => return None,
    };
    let text = error.message.clone();
    Some(Finding { fault, text })
}

impl<'a> Stage<'a> {
    /// Makes an object; else what is wrong with the refusal, if anything is.
    pub(crate) fn new(
        pipeline: &'a Pipeline,
        module: &Loaded,
        (class, is_hub): (&str, bool),
        parameters: &Value,
    ) -> Result<Self, Option<Finding>> {
        let created = pipeline.create_loaded(module, class, parameters);
        let object = created.map_err(|error| finding(&error))?;
        Ok(Self {
            pipeline,
            object,
            is_hub,
            ports: Mutex::default(),
            senders: Mutex::default(),
            screen: pipeline.screen(),
            findings: Mutex::default(),
        })
    }

    /// Whether an error is one. What a client can do something about is none.
    fn heard<T>(&self, result: Result<T, Error>) {
        if let Err(error) = result {
            locked(&self.findings).extend(finding(&error));
        }
    }

    /// What was found since the last call.
    pub(crate) fn findings(&self) -> Vec<Finding> {
        let mut found = std::mem::take(&mut *locked(&self.findings));
        let raised = self.object.errors().into_iter();
        found.extend(raised.filter_map(|error| finding(&error)));
        for port in &*locked(&self.ports) {
            found.extend(port.errors().iter().filter_map(finding));
        }
        found
    }

    /// Does one thing.
    pub(crate) fn step(&self, step: &Step) {
        match step {
            Step::Call(operation, parameters) => {
                self.heard(self.object.call(operation, parameters.clone()));
            }
            Step::Stats => self.heard(self.object.stats(None)),
            Step::Connect(kind, format) => self.connect(*kind, format),
            Step::Disconnect(kind) => locked(&self.senders).retain(|(known, ..)| known != kind),
            Step::Push(kind, pieces) => self.push(*kind, pieces),
            Step::Watch(is_taken) => self.watch(*is_taken),
            Step::Ask(wish) => self.screen.ask(wish.message()),
            Step::Pass(time) => {
                let time = std::time::Duration::from_millis(u64::from(*time));
                self.pipeline.advance(time);
            }
            Step::AddPort if self.is_hub => match self.pipeline.port(&self.object) {
                Ok(port) => locked(&self.ports).push(port),
                Err(error) => self.heard::<()>(Err(error)),
            },
            Step::RemovePort => {
                let port = locked(&self.ports).pop();
                if let Some(port) = port {
                    locked(&self.findings).extend(port.errors().iter().filter_map(finding));
                }
            }
            Step::AddPort => {}
            Step::Release => self.object.release(),
        }
        // What came is looked at by nobody.
        drop(self.screen.packets());
    }

    fn connect(&self, kind: Kind, format: &Format) {
        let sender = self.pipeline.sender(kind.media(), format.clone());
        match locked(&self.ports).first() {
            Some(port) => sender.connect(port),
            None if self.is_hub => {}
            None => sender.connect(&self.object),
        }
        let mut senders = locked(&self.senders);
        senders.retain(|(known, ..)| *known != kind);
        senders.push((kind, format.clone(), sender));
    }

    fn watch(&self, is_taken: bool) {
        let ports = locked(&self.ports);
        let source = match ports.last() {
            Some(port) => port,
            None => &self.object,
        };
        match is_taken {
            true => source.connect(&self.screen),
            false => source.disconnect(&self.screen),
        }
    }

    fn push(&self, kind: Kind, pieces: &[Piece]) {
        let packets = pieces.iter().map(|piece| self.packet(piece)).collect();
        let senders = locked(&self.senders);
        if let Some((_, _, sender)) = senders.iter().find(|(known, ..)| *known == kind) {
            sender.push(packets);
        }
    }

    fn packet(&self, piece: &Piece) -> Packet {
        packet(self.pipeline, piece)
    }

    /// Ends it, and gives what was found last.
    pub(crate) fn end(self) -> Vec<Finding> {
        self.object.release();
        let found = self.findings();
        locked(&self.senders).clear();
        found
    }
}

/// A packet of a plan.
pub(crate) fn packet(pipeline: &Pipeline, piece: &Piece) -> Packet {
    let now = pipeline.now();
    let format = piece.format.clone();
    let mut packet = Packet {
        bytes: bytes(&piece.content).into(),
        format: format.map_or(0, |format| pipeline.format_id(format)),
        flags: piece.flags,
        presentation_time: now.wrapping_add(piece.time),
        ingress_time: now,
        duration: piece.duration,
        ..Packet::default()
    };
    packet.layer.encoding = piece.encoding;
    if let Content::Rtp { sequence, .. } = piece.content {
        packet.rtp.sequence = sequence;
        packet.rtp.timestamp = u32::from(sequence).wrapping_mul(3000);
        packet.rtp.ssrc = SSRC;
        packet.rtp.payload_offset = HEADER;
        packet.rtp.marker = true;
    }
    packet
}

const SSRC: u32 = 7;
/// Bytes of an RTP header without extensions (RFC 3550 §5.1).
const HEADER: u16 = 12;

fn bytes(content: &Content) -> Vec<u8> {
    match content {
        Content::Same { length, value } => vec![*value; *length],
        Content::Noise { length, seed } => noise(*length, *seed),
        Content::Rtp {
            sequence,
            length,
            seed,
        } => {
            let mut bytes = vec![0x80, 0xe0];
            bytes.extend(sequence.to_be_bytes());
            bytes.extend(u32::from(*sequence).wrapping_mul(3000).to_be_bytes());
            bytes.extend(SSRC.to_be_bytes());
            bytes.extend(noise(*length, *seed));
            bytes
        }
    }
}

fn noise(length: usize, seed: u64) -> Vec<u8> {
    let mut random = Random::new(seed, "noise", 0);
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        bytes.extend(random.next().to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}
