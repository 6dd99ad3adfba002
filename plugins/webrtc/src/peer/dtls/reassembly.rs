//! Puts what arrives of the peer's flights into order before `rtc-dtls` reads it
//! (RFC 6347 §4.2.2 to §4.2.4).
//!
//! `rtc-dtls` 0.21 goes into its state machine with every datagram that has a handshake record,
//! whether the record completes the next message or not. As a client that waits for ServerHello it
//! answers anything else with a fatal alert, so the call is over when the first datagram of the
//! server's flight is late or lost. It also takes a fragment to reach to the end of its record, and
//! drops a Finished that comes before its ChangeCipherSpec.
//!
//! Here handshake messages are collected from their fragments, whatever their sizes and order, and
//! handed on whole and in the order of `message_seq`. ChangeCipherSpec follows the message that the
//! keys come from, and encrypted records follow ChangeCipherSpec. What is handed on is an ordinary
//! datagram with record numbers of our own, so that `rtc-dtls` has no replays to detect.
//!
//! All of it comes from an address that ICE has proven, and nothing more is known about the sender:
//! memory is bounded by the constants below, whatever arrives.

use std::collections::BTreeMap;

use bytes::{BufMut, BytesMut};

use super::DtlsRole;
use super::record::{self, ALERT, CHANGE_CIPHER_SPEC, Fragment, HANDSHAKE, Record};

/// Bytes of handshake messages that are taken of a peer in one handshake. Browsers send 1 to 2 KiB,
/// with a post-quantum key share in ClientHello 3; chains of certificates are the rest.
const MAX_HANDSHAKE_LEN: usize = 64 * 1024;
/// Handshake messages that are taken of a peer. A full handshake has at most seven of a server and
/// six of a client (RFC 6347 §4.2.4); each HelloVerifyRequest with another cookie adds one.
const MAX_MESSAGES: u16 = 24;
/// Bytes of encrypted records that are kept until they can be read: a Finished of 61 bytes, its
/// repetitions, and the first SCTP packets of a peer that is done before we are. What does not fit
/// is lost, as on a network, and comes again.
const MAX_HELD_LEN: usize = 4 * 1024;
/// A record holds no more than 2^14 bytes (RFC 5246 §6.2.1).
const MAX_FRAGMENT_LEN: usize = (1 << 14) - record::FRAGMENT_HEADER_LEN;

/// Handshake types that tell when there are keys (RFC 5246 §7.4).
const CERTIFICATE: u8 = 11;
const SERVER_HELLO_DONE: u8 = 14;
const CERTIFICATE_VERIFY: u8 = 15;
const CLIENT_KEY_EXCHANGE: u8 = 16;
/// The body of a Certificate message without any: the length of its list.
const EMPTY_CERTIFICATE_LEN: usize = 3;

/// Level and description of alerts (RFC 5246 §7.2).
const WARNING: u8 = 1;
const CLOSE_NOTIFY: u8 = 0;

/// How far the peer's switch to encryption has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CipherChange {
    /// Its ChangeCipherSpec has not arrived.
    Awaited,
    /// It has arrived before the messages that the keys come from.
    Held,
    /// It was handed on: encrypted records may follow.
    Passed,
}

/// What a datagram has brought.
#[derive(Debug, Default)]
pub(super) struct Arrival {
    /// Records for `rtc-dtls`, in order; empty when what it needs next is still missing.
    pub(super) ordered: BytesMut,
    /// Whether the peer repeats a flight that was answered: it misses the answer.
    pub(super) is_repetition: bool,
}

/// The peer's handshake messages on their way to `rtc-dtls`.
pub(super) struct Reassembly {
    role: DtlsRole,
    /// By `message_seq`, none below `next_message`.
    messages: BTreeMap<u16, PartialMessage>,
    /// The `message_seq` that `rtc-dtls` needs next (RFC 6347 §4.2.2: `next_receive_seq`).
    next_message: u16,
    /// Messages below are of flights that we have answered.
    answered: u16,
    /// Whether `rtc-dtls` has had the peer's Finished.
    is_complete: bool,
    /// Bytes of the messages that were handed on.
    passed_len: usize,
    /// The sequence number of the next plaintext record for `rtc-dtls`.
    next_record: u64,
    /// Whether the peer's Certificate message has one, which CertificateVerify then proves.
    has_certificate: bool,
    /// Whether the messages that the keys come from were handed on.
    has_keys: bool,
    cipher_change: CipherChange,
    /// Encrypted records that came before ChangeCipherSpec, as they arrived.
    encrypted: BytesMut,
}

impl Reassembly {
    /// `role` is ours.
    pub(super) fn new(role: DtlsRole) -> Self {
        Self {
            role,
            messages: BTreeMap::new(),
            next_message: 0,
            answered: 0,
            is_complete: false,
            passed_len: 0,
            next_record: 0,
            has_certificate: false,
            has_keys: false,
            cipher_change: CipherChange::Awaited,
            encrypted: BytesMut::new(),
        }
    }

    /// We have sent a flight, which answers all that was handed on.
    pub(super) fn flight_sent(&mut self) {
        self.answered = self.next_message;
    }

    /// The handshake is complete: every further message of it is a repetition.
    pub(super) fn handshake_complete(&mut self) {
        self.flight_sent();
        self.is_complete = true;
    }

    /// Takes a datagram of the peer.
    pub(super) fn on_datagram(&mut self, datagram: &[u8]) -> Arrival {
        let mut arrival = Arrival::default();
        for record in record::records(datagram) {
            match (record.epoch, record.content_type) {
                (0, HANDSHAKE) => {
                    for fragment in record::fragments(record.body()) {
                        arrival.is_repetition |= self.on_fragment(&fragment);
                    }
                    self.pass_messages(&mut arrival.ordered);
                }
                (0, CHANGE_CIPHER_SPEC) if self.cipher_change == CipherChange::Awaited => {
                    self.cipher_change = CipherChange::Held;
                }
                (0, ALERT) => self.on_alert(&record, &mut arrival.ordered),
                // A repeated Finished; there is no renegotiation. It is answered once for the whole
                // flight that it ends, and not by `rtc-dtls`, whose client would answer the server's
                // with its own flight, and so on.
                (1, HANDSHAKE) if self.is_complete => arrival.is_repetition = true,
                (1, _) => self.on_encrypted(&record, &mut arrival.ordered),
                // There is no plaintext application data, and no renegotiation that would bring
                // further epochs. Invalid records are dropped silently (RFC 6347 §4.1.2.7).
                _ => {}
            }
            self.pass_cipher_change(&mut arrival.ordered);
        }
        arrival
    }

    /// A record that makes an `rtc-dtls` that is connected repeat its last flight: the beginning of
    /// a message that it knows.
    pub(super) fn repetition(&mut self) -> BytesMut {
        let mut datagram = BytesMut::new();
        self.put_record(HANDSHAKE, &[0; record::FRAGMENT_HEADER_LEN], &mut datagram);
        datagram
    }

    /// Whether `fragment` repeats a flight that was answered.
    fn on_fragment(&mut self, fragment: &Fragment<'_>) -> bool {
        if fragment.message_seq < self.next_message {
            // Of the flight that is arriving, a second copy says nothing: the network may have made
            // it, and what is still missing of the flight was not answered.
            return fragment.message_seq < self.answered;
        }
        if fragment.message_seq < MAX_MESSAGES && self.make_room(fragment) {
            self.messages
                .entry(fragment.message_seq)
                .or_insert_with(|| PartialMessage::new(fragment))
                .add(fragment);
        }
        false
    }

    /// Whether there is room for the message that `fragment` is of. Later messages give way to
    /// earlier ones, without which they are of no use; else the announced lengths of a few forged
    /// ones could keep the real ones out.
    fn make_room(&mut self, fragment: &Fragment<'_>) -> bool {
        match self.messages.get(&fragment.message_seq) {
            Some(known) if known.is_same(fragment) => return true,
            // One of the two is damaged or forged. The repetition that will come agrees with the
            // real one, so the newest counts.
            Some(_) => drop(self.messages.remove(&fragment.message_seq)),
            None => {}
        }
        loop {
            let held: usize = self.messages.values().map(PartialMessage::len).sum();
            if self.passed_len + held + fragment.length <= MAX_HANDSHAKE_LEN {
                return true;
            }
            match self.messages.last_entry() {
                Some(last) if *last.key() > fragment.message_seq => drop(last.remove()),
                _ => return false,
            }
        }
    }

    /// Hands on the messages that are whole and next.
    fn pass_messages(&mut self, ordered: &mut BytesMut) {
        while let Some(entry) = self.messages.first_entry()
            && *entry.key() == self.next_message
            && let Some(body) = entry.get().whole()
        {
            let message_type = entry.remove().message_type;
            self.put_message(message_type, &body, ordered);
            self.on_message(message_type, &body);
            self.passed_len += body.len();
            self.next_message += 1;
        }
    }

    /// Keeps track of when `rtc-dtls` has keys: a client when the server's flight is complete, a
    /// server when the client has sent its share and has proven its certificate, if it has one
    /// (RFC 5246 §7.3). ChangeCipherSpec means nothing before.
    fn on_message(&mut self, message_type: u8, body: &[u8]) {
        self.has_keys |= match (self.role, message_type) {
            (DtlsRole::Client, SERVER_HELLO_DONE) | (DtlsRole::Server, CERTIFICATE_VERIFY) => true,
            (DtlsRole::Server, CERTIFICATE) => {
                self.has_certificate = body.len() > EMPTY_CERTIFICATE_LEN;
                false
            }
            (DtlsRole::Server, CLIENT_KEY_EXCHANGE) => !self.has_certificate,
            _ => false,
        };
    }

    /// Alerts are not held back: a peer that refuses our flight sends nothing that they could
    /// follow. Warnings other than the end of the association ask for nothing (RFC 5246 §7.2.2),
    /// and `rtc-dtls` would take each for the end of the handshake.
    fn on_alert(&mut self, record: &Record<'_>, ordered: &mut BytesMut) {
        match *record.body() {
            [WARNING, description] if description != CLOSE_NOTIFY => {}
            [_, _] => self.put_record(ALERT, record.body(), ordered),
            _ => {}
        }
    }

    fn on_encrypted(&mut self, record: &Record<'_>, ordered: &mut BytesMut) {
        if self.cipher_change == CipherChange::Passed {
            ordered.extend_from_slice(record.bytes);
        } else if self.encrypted.len() + record.bytes.len() <= MAX_HELD_LEN {
            self.encrypted.extend_from_slice(record.bytes);
        }
    }

    /// Hands on ChangeCipherSpec and the encrypted records that waited for it, once there are keys
    /// to read them with.
    fn pass_cipher_change(&mut self, ordered: &mut BytesMut) {
        if self.cipher_change == CipherChange::Held && self.has_keys {
            self.cipher_change = CipherChange::Passed;
            // Its only value (RFC 5246 §7.1).
            self.put_record(CHANGE_CIPHER_SPEC, &[1], ordered);
            ordered.unsplit(std::mem::take(&mut self.encrypted));
        }
    }

    /// Writes a message into one record, or as many as its length needs.
    fn put_message(&mut self, message_type: u8, body: &[u8], ordered: &mut BytesMut) {
        let length = body.len();
        let mut offset = 0;
        loop {
            let rest = body.get(offset..).unwrap_or_default();
            let piece = rest.get(..MAX_FRAGMENT_LEN).unwrap_or(rest);
            let mut fragment = Vec::with_capacity(record::FRAGMENT_HEADER_LEN + piece.len());
            fragment.push(message_type);
            fragment.put_uint(length as u64, 3);
            fragment.put_u16(self.next_message);
            fragment.put_uint(offset as u64, 3);
            fragment.put_uint(piece.len() as u64, 3);
            fragment.extend_from_slice(piece);
            self.put_record(HANDSHAKE, &fragment, ordered);
            offset += piece.len();
            // A message without a body, ServerHelloDone, is one record as well.
            if offset >= length {
                return;
            }
        }
    }

    /// Writes a plaintext record. `body` is at most 2^14 bytes long.
    fn put_record(&mut self, content_type: u8, body: &[u8], ordered: &mut BytesMut) {
        ordered.put_u8(content_type);
        // DTLS 1.2, whatever the peer writes there before the version is negotiated.
        ordered.put_u16(0xfefd);
        ordered.put_u16(0);
        ordered.put_uint(self.next_record, 6);
        ordered.put_uint(body.len() as u64, 2);
        ordered.extend_from_slice(body);
        self.next_record += 1;
    }
}

/// A handshake message of which some bytes have arrived.
struct PartialMessage {
    message_type: u8,
    /// Fragments overlap in any way when a peer repeats its flight in smaller pieces, so it is
    /// known of each byte whether it has arrived.
    bytes: Vec<Option<u8>>,
    missing: usize,
}

impl PartialMessage {
    fn new(fragment: &Fragment<'_>) -> Self {
        Self {
            message_type: fragment.message_type,
            bytes: vec![None; fragment.length],
            missing: fragment.length,
        }
    }

    fn len(&self) -> usize {
        self.bytes.len()
    }

    fn is_same(&self, fragment: &Fragment<'_>) -> bool {
        self.message_type == fragment.message_type && self.len() == fragment.length
    }

    fn add(&mut self, fragment: &Fragment<'_>) {
        let places = self.bytes.iter_mut().skip(fragment.offset);
        for (place, byte) in places.zip(fragment.bytes) {
            self.missing -= usize::from(place.is_none());
            *place = Some(*byte);
        }
    }

    /// The message, if all of it has arrived.
    fn whole(&self) -> Option<Vec<u8>> {
        if self.missing > 0 {
            return None;
        }
        self.bytes.iter().copied().collect()
    }
}

#[cfg(test)]
mod tests;
