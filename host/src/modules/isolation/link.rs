//! The server's connection to one child: calls, and what the child has of the server.
//!
//! Calls are made by the threads that would call the module in this process, and wait: so the lanes, the bounds
//! and the watch for calls that do not return are the same. What the child says is heard by a thread of the
//! connection ([`reader`](super::reader)). Nothing of a child counts that the tables here do not have.

use std::{
    collections::HashMap,
    os::fd::OwnedFd,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
        mpsc::{RecvTimeoutError, SyncSender, sync_channel},
    },
    time::Duration,
};

use abi_stable::std_types::RResult;
use parking_lot::Mutex;
use rivero_plugin_api::{
    Error, MediaKind, Packet,
    abi::{
        traits::{ConverterOutput, ElementHost, Host, Responder, SinkPad, SourcePad},
        types::AbiError,
    },
};
use rustix::net::{Shutdown, shutdown};

use super::{
    packets::Burst,
    process::Process,
    ring::Refusal,
    socket::{Outbox, SendError},
    wire::{Answer, Call, Failure, Remains, ToChild},
};

/// What has to return at once has so long. After half of it `overdue` tells of it and cuts the object off; it may come back
/// on a machine that is busy, until this has passed.
pub(super) const PROMPT: Duration = Duration::from_secs(2);
/// What may take its time: until just before a client is told that it took too long, which is after 9 s.
pub(super) const PATIENT: Duration = Duration::from_secs(8);
/// The end of an object, which may complete what it recorded.
pub(super) const RELEASE: Duration = Duration::from_secs(20);

/// How long the end of a child takes at most to be cleared up.
const CLEARED: Duration = Duration::from_secs(1);
/// How long media waits for room in the ring: as long as the child takes to copy what is there.
const ROOM: Duration = Duration::from_millis(20);
/// Pads that a child has open at most.
const PADS: usize = 16_384;

/// What a call came to.
pub(super) type Outcome = Result<String, AbiError>;

/// The connection to a child.
pub(super) struct Link {
    /// The services of the server for this module.
    pub(super) host: Host,
    pub(super) process: Process,
    pub(super) socket: Arc<OwnedFd>,
    outbox: Mutex<Outbox>,
    next: AtomicU64,
    state: Mutex<State>,
}

/// What the child can name.
#[derive(Default)]
struct State {
    /// Why there is nothing any more.
    ended: Option<AbiError>,
    calls: HashMap<u64, SyncSender<Outcome>>,
    responders: HashMap<u64, Responder>,
    elements: HashMap<u64, Arc<ElementHost>>,
    pads: HashMap<u64, Arc<Pad>>,
    outputs: HashMap<u64, Arc<ConverterOutput>>,
}

/// A pad that the child opened.
pub(super) struct Pad {
    pub(super) kind: MediaKind,
    pub(super) end: PadEnd,
}

pub(super) enum PadEnd {
    Source(SourcePad),
    Sink(SinkPad),
}

impl Pad {
    pub(super) fn close(&self) {
        match &self.end {
            PadEnd::Source(pad) => pad.close(),
            PadEnd::Sink(pad) => pad.close(),
        }
    }
}

impl Link {
    pub(super) fn new(
        host: Host,
        process: Process,
        socket: Arc<OwnedFd>,
        outbox: Outbox,
    ) -> Arc<Self> {
        Arc::new(Self {
            host,
            process,
            socket,
            outbox: Mutex::new(outbox),
            next: AtomicU64::new(1),
            state: Mutex::default(),
        })
    }

    /// A number that nothing of this child has.
    pub(super) fn number(&self) -> u64 {
        self.next.fetch_add(1, Relaxed)
    }

    /// Whether calls can be made still.
    pub(super) fn is_alive(&self) -> bool {
        self.state.lock().ended.is_none() && !self.process.is_ending()
    }

    /// Ends the child. Whoever waits for it learns of it by its end.
    pub(super) fn give_up(&self, reason: &str) {
        self.process.kill(reason);
        let _ = shutdown(&self.socket, Shutdown::Both);
    }

    /// Ends the child, and clears up after it, where nobody else will.
    pub(super) fn fail(&self) -> String {
        self.give_up("the server failed to hear it");
        let how = self.process.end(Duration::ZERO);
        self.clear(&how);
        how
    }

    /// Says that nothing will be said any more: the child ends by itself.
    pub(super) fn finish(&self) {
        let _ = shutdown(&self.socket, Shutdown::Write);
    }

    /// Calls the module and waits until it has returned: for `patience`, then the child is ended.
    pub(super) fn call(&self, name: &str, call: Call, patience: Duration) -> Outcome {
        self.call_with(name, call, &[], patience)
    }

    /// Hands over a burst. What finds no room is lost, which the result says.
    pub(super) fn hand_over(
        &self,
        name: &str,
        packets: &[Packet],
        patience: Duration,
        call: impl FnOnce(Burst) -> Call,
    ) -> Outcome {
        self.call_with(name, call(Burst::of(packets)), packets, patience)
    }

    fn call_with(&self, name: &str, call: Call, payload: &[Packet], patience: Duration) -> Outcome {
        let number = self.number();
        let (sender, returned) = sync_channel(1);
        self.enter(|state| state.calls.insert(number, sender))?;
        let depth = rivero_media::depth();
        let message = ToChild::Call {
            number,
            depth,
            call,
        };
        if let Err(error) = self.send_media(&message, payload) {
            if self.is_alive() {
                self.state.lock().calls.remove(&number);
                return Err(error);
            }
            // The reader clears up, and knows why it ended.
            let _ = returned.recv_timeout(CLEARED);
            return Err(self.ended());
        }
        match returned.recv_timeout(patience) {
            Ok(outcome) => outcome,
            Err(RecvTimeoutError::Disconnected) => Err(self.ended()),
            Err(RecvTimeoutError::Timeout) => {
                let seconds = patience.as_secs();
                self.give_up(&format!(
                    "{name} had not returned for {seconds} s, and it was ended"
                ));
                // The reader clears up, and says what has become of all others first.
                let _ = returned.recv_timeout(PATIENT);
                Err(self.ended())
            }
        }
    }

    /// Says something with media; waits a moment where there is no room.
    fn send_media(&self, message: &ToChild, payload: &[Packet]) -> Result<(), AbiError> {
        let mut waited = Duration::ZERO;
        loop {
            match self.say(message, payload) {
                Err(SendError::Payload(Refusal::Full)) if waited < ROOM => {
                    const PAUSE: Duration = Duration::from_millis(1);
                    std::thread::sleep(PAUSE);
                    waited += PAUSE;
                }
                Err(SendError::Payload(Refusal::Full | Refusal::TooLong)) => {
                    self.count_lost(payload.len());
                    let text = "the media does not fit into the memory that the server shares with the process of the module: see `ring` in docs/isolation.md";
                    return Err(Error::unexpected(text).into());
                }
                Err(SendError::Wire(error)) => {
                    return Err(Error::unexpected(error.to_string()).into());
                }
                Err(SendError::Payload(Refusal::Lie)) => {
                    self.give_up("it wrote nonsense into the memory that it shares with the server, and was ended");
                    return Err(self.ended());
                }
                Err(SendError::Socket(_)) => {
                    self.give_up("it did not take what it was told for 1 s, and was ended");
                    return Err(self.ended());
                }
                Ok(()) => return Ok(()),
            }
        }
    }

    /// Says something; what does not arrive is told by the child's end.
    pub(super) fn say(&self, message: &ToChild, payload: &[Packet]) -> Result<(), SendError> {
        self.outbox.lock().send(message, payload)
    }

    /// Lets go of something that the child has.
    pub(super) fn let_go(&self, remains: Remains) {
        if self.is_alive() {
            let _ = self.send_media(&ToChild::Drop(remains), &[]);
        }
    }

    /// Answers a question. Media for which there is no room is left out.
    pub(super) fn answer(&self, number: u64, answer: Result<Answer, Failure>, payload: &[Packet]) {
        let message = ToChild::Answer { number, answer };
        match self.say(&message, payload) {
            Ok(()) => {}
            Err(SendError::Socket(_)) => {
                self.give_up("it did not take what it was told for 1 s, and was ended");
            }
            Err(SendError::Payload(_) | SendError::Wire(_)) => {
                let nothing = Ok(Answer::Nothing);
                let message = ToChild::Answer {
                    number,
                    answer: nothing,
                };
                let _ = self.say(&message, &[]);
            }
        }
    }

    /// Counts packets that found no room.
    pub(super) fn count_lost(&self, packets: usize) {
        let name = "isolation_packets_lost_total";
        self.host
            .metric(0, name.into(), "{}".into(), packets as f64);
    }

    /// Why there is nothing any more.
    pub(super) fn ended(&self) -> AbiError {
        let ended = self.state.lock().ended.clone();
        ended.unwrap_or_else(|| end_in_words("it is being ended"))
    }

    /// Enters something, unless the child has ended.
    fn enter<T>(&self, enter: impl FnOnce(&mut State) -> T) -> Result<T, AbiError> {
        let mut state = self.state.lock();
        match &state.ended {
            Some(error) => Err(error.clone()),
            None => Ok(enter(&mut state)),
        }
    }

    pub(super) fn add_element(&self, element: ElementHost) -> Result<u64, AbiError> {
        let number = self.number();
        self.enter(|state| state.elements.insert(number, Arc::new(element)))?;
        Ok(number)
    }

    pub(super) fn element(&self, number: u64) -> Option<Arc<ElementHost>> {
        self.state.lock().elements.get(&number).cloned()
    }

    pub(super) fn drop_element(&self, number: u64) {
        let element = self.state.lock().elements.remove(&number);
        drop(element);
    }

    pub(super) fn add_pad(&self, pad: Pad) -> Result<u64, AbiError> {
        let number = self.number();
        let pad = Arc::new(pad);
        let entered = self.enter(|state| {
            let has_room = state.pads.len() < PADS;
            has_room.then(|| state.pads.insert(number, pad.clone()));
            has_room
        });
        let error = match entered {
            Ok(true) => return Ok(number),
            Ok(false) => Error::unexpected("the process of the module has too many pads").into(),
            Err(error) => error,
        };
        pad.close();
        Err(error)
    }

    pub(super) fn pad(&self, number: u64) -> Option<Arc<Pad>> {
        self.state.lock().pads.get(&number).cloned()
    }

    pub(super) fn drop_pad(&self, number: u64) {
        let pad = self.state.lock().pads.remove(&number);
        drop(pad);
    }

    pub(super) fn add_responder(&self, responder: Responder) -> Result<u64, Responder> {
        let number = self.number();
        let mut state = self.state.lock();
        if state.ended.is_some() {
            return Err(responder);
        }
        state.responders.insert(number, responder);
        Ok(number)
    }

    pub(super) fn take_responder(&self, number: u64) -> Option<Responder> {
        self.state.lock().responders.remove(&number)
    }

    pub(super) fn add_output(&self, output: ConverterOutput) -> Result<u64, AbiError> {
        let number = self.number();
        self.enter(|state| state.outputs.insert(number, Arc::new(output)))?;
        Ok(number)
    }

    pub(super) fn output(&self, number: u64) -> Option<Arc<ConverterOutput>> {
        self.state.lock().outputs.get(&number).cloned()
    }

    pub(super) fn drop_output(&self, number: u64) {
        let output = self.state.lock().outputs.remove(&number);
        drop(output);
    }

    /// A call has returned.
    pub(super) fn returned(&self, number: u64, outcome: Outcome) {
        let waiting = self.state.lock().calls.remove(&number);
        if let Some(waiting) = waiting {
            // Whoever waited may have given up.
            let _ = waiting.send(outcome);
        }
    }

    /// Clears up after the child: its objects are told by an event first, and whoever waits for it then.
    pub(super) fn clear(&self, how: &str) {
        let error = end_in_words(how);
        let state = {
            let mut state = self.state.lock();
            state.ended = Some(error.clone());
            let left = State {
                ended: None,
                ..State::default()
            };
            let ended = state.ended.clone();
            std::mem::replace(&mut *state, State { ended, ..left })
        };
        for element in state.elements.values() {
            let kind = "UNEXPECTED_ELEMENT_ERROR";
            element.error(kind.into(), error.code, error.message.as_str().into());
        }
        for output in state.outputs.values() {
            output.failed(error.clone());
        }
        for responder in state.responders.into_values() {
            responder.reply(RResult::RErr(error.clone()));
        }
        // Whoever waits for a call learns of it by the end of its channel.
        drop(state.calls);
        for pad in state.pads.values() {
            pad.close();
        }
    }
}

/// What a client is told of a child that ended.
fn end_in_words(how: &str) -> AbiError {
    let text = format!(
        "the process of the module, which served this object, is gone: {how}; release the object, and create it anew"
    );
    Error::unexpected(text).into()
}
