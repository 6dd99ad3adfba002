//! What the child says to the server, and what it asks.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU8, AtomicU64, Ordering::Relaxed},
        mpsc::{SyncSender, sync_channel},
    },
};

use parking_lot::{Mutex, RwLock};
use rivero_plugin_api::{Bytes, Error, Packet, abi::types::AbiError};

use super::{
    super::{
        packets::{Burst, Malformed},
        pool::monotonic,
        socket::{Outbox, SendError},
        wire::{Answer, Failure, Question, Start, ToHost},
    },
    from_child,
};

/// An answer, with the media that belongs to it.
type Answered = Result<(Answer, Vec<Packet>), Failure>;

/// The child's end of the connection.
pub(super) struct Channel {
    outbox: Mutex<Outbox>,
    next: AtomicU64,
    asked: Mutex<HashMap<u64, SyncSender<Answered>>>,
    log_level: AtomicU8,
    clock_offset: AtomicI64,
    data_directory: RwLock<String>,
}

impl Channel {
    pub(super) fn new(outbox: Outbox) -> Arc<Self> {
        Arc::new(Self {
            outbox: Mutex::new(outbox),
            next: AtomicU64::new(1),
            asked: Mutex::default(),
            log_level: AtomicU8::new(0),
            clock_offset: AtomicI64::new(0),
            data_directory: RwLock::default(),
        })
    }

    pub(super) fn begin(&self, start: &Start) {
        self.log_level.store(start.log_level, Relaxed);
        self.clock_offset.store(start.clock_offset, Relaxed);
        self.data_directory
            .write()
            .clone_from(&start.data_directory);
    }

    pub(super) fn log_level(&self) -> u8 {
        self.log_level.load(Relaxed)
    }

    pub(super) fn data_directory(&self) -> String {
        self.data_directory.read().clone()
    }

    /// The clock of the server's pipelines, ns.
    pub(super) fn now(&self) -> i64 {
        monotonic() + self.clock_offset.load(Relaxed)
    }

    /// A number that nothing else in this process has.
    pub(super) fn number(&self) -> u64 {
        self.next.fetch_add(1, Relaxed)
    }

    /// Says something. Where the server is gone, the thread that hears it ends the process.
    pub(super) fn say(&self, message: ToHost) {
        let number = match &message {
            ToHost::Returned { number, .. } => Some(*number),
            _ => None,
        };
        let sent = self.outbox.lock().send(&from_child(message), &[]);
        if let (Some(number), Err(SendError::Wire(error))) = (number, sent) {
            let error = AbiError::from(Error::unexpected(error.to_string()));
            let outcome = Err(error.into());
            let message = ToHost::Returned { number, outcome };
            let _ = self.outbox.lock().send(&from_child(message), &[]);
        }
    }

    /// Says something of a burst; whether there was room for it.
    pub(super) fn push(&self, packets: &[Packet], message: impl FnOnce(Burst) -> ToHost) -> bool {
        let message = from_child(message(Burst::of(packets)));
        let sent = self.outbox.lock().send(&message, packets);
        sent.is_ok()
    }

    /// Asks the server, and waits for its answer.
    pub(super) fn ask(&self, question: Question) -> Result<Answer, AbiError> {
        self.ask_with_media(question).map(|(answer, _)| answer)
    }

    pub(super) fn ask_with_media(
        &self,
        question: Question,
    ) -> Result<(Answer, Vec<Packet>), AbiError> {
        let gone = || AbiError::from(Error::unexpected("the server does not answer"));
        let number = self.number();
        let (sender, answer) = sync_channel(1);
        self.asked.lock().insert(number, sender);
        let message = from_child(ToHost::Ask { number, question });
        if self.outbox.lock().send(&message, &[]).is_err() {
            self.asked.lock().remove(&number);
            return Err(gone());
        }
        let answer = answer.recv().map_err(|_| gone())?;
        answer.map_err(AbiError::from)
    }

    /// The server has answered. The media of an answer is taken whether somebody waits or not.
    pub(super) fn answered(
        &self,
        number: u64,
        answer: Result<Answer, Failure>,
        take: impl FnMut(usize) -> Option<Bytes>,
    ) -> Result<(), Malformed> {
        let answered = match answer {
            Ok(Answer::Packets(burst)) => {
                let packets = burst.clone().packets(take)?;
                Ok((Answer::Nothing, packets))
            }
            Ok(answer) => Ok((answer, Vec::new())),
            Err(failure) => Err(failure),
        };
        let waiting = self.asked.lock().remove(&number);
        if let Some(waiting) = waiting {
            let _ = waiting.send(answered);
        }
        Ok(())
    }
}
