//! A DTLS server with the habits of other stacks: it asks for no cookie, as browsers and OpenSSL do
//! not, so its flight answers the first ClientHello. `rtc-dtls` cannot be such a server.
//!
//! It speaks what its one client needs: TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 on X25519 with the
//! extended master secret (RFC 5246, 5289, 7627), and takes whole messages only.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};
use ring::{aead, agreement, digest, hmac, rand};

use crate::peer::*;

const CHANGE_CIPHER_SPEC: u8 = 20;
const HANDSHAKE: u8 = 22;
const CERTIFICATE_VERIFY_SEQ: u16 = 3;
/// RFC 6347 §4.2.4.1, as OpenSSL has it.
const FIRST_WAIT: Duration = Duration::from_secs(1);

pub(super) struct DtlsServer {
    key: EcdsaKeyPair,
    certificate: Vec<u8>,
    random: [u8; 32],
    ephemeral: Option<agreement::EphemeralPrivateKey>,
    /// The client's messages with their headers, by `message_seq`.
    messages: BTreeMap<u16, Vec<u8>>,
    has_finished: bool,
    /// Our messages with their headers.
    flight: Vec<Vec<u8>>,
    /// Key and salt for what we send, and the Finished message.
    last_flight: Option<(aead::LessSafeKey, [u8; 4], Vec<u8>)>,
    next_record: [u64; 2],
    wait: Duration,
    due: Option<Instant>,
    transmits: VecDeque<Bytes>,
    events: VecDeque<DtlsEvent>,
}

impl DtlsServer {
    pub(super) fn new() -> Self {
        let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
        let params = rcgen::CertificateParams::new(vec![]).unwrap();
        let certificate = params.self_signed(&key).unwrap().der().to_vec();
        let random = rand::SystemRandom::new();
        let algorithm = &ECDSA_P256_SHA256_ASN1_SIGNING;
        Self {
            key: EcdsaKeyPair::from_pkcs8(algorithm, key.serialized_der(), &random).unwrap(),
            certificate,
            random: rand::generate(&random).unwrap().expose(),
            ephemeral: None,
            messages: BTreeMap::new(),
            has_finished: false,
            flight: Vec::new(),
            last_flight: None,
            next_record: [0, 0],
            wait: FIRST_WAIT,
            due: None,
            transmits: VecDeque::new(),
            events: VecDeque::new(),
        }
    }

    pub(super) fn fingerprint(&self) -> Fingerprint {
        Fingerprint::sha256(&self.certificate)
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.due
    }

    pub(super) fn poll_transmit(&mut self) -> Option<Bytes> {
        self.transmits.pop_front()
    }

    pub(super) fn poll_event(&mut self) -> Option<DtlsEvent> {
        self.events.pop_front()
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        if self.due.is_some_and(|due| due <= now) {
            self.wait *= 2;
            self.due = Some(now + self.wait);
            self.send_flight();
        }
    }

    pub(super) fn handle_datagram(&mut self, now: Instant, mut datagram: &[u8]) {
        while datagram.len() > 13 {
            let len = usize::from(u16::from_be_bytes([datagram[11], datagram[12]]));
            let (record, rest) = datagram.split_at(13 + len);
            datagram = rest;
            match (record[0], u16::from_be_bytes([record[3], record[4]])) {
                (HANDSHAKE, 0) => {
                    let seq = u16::from_be_bytes([record[17], record[18]]);
                    self.messages.insert(seq, record[13..].to_vec());
                }
                // Its Finished, whose content follows from the rest. OpenSSL repeats its last
                // flight for this, and for nothing in plaintext.
                (HANDSHAKE, 1) => {
                    self.has_finished = true;
                    self.send_last_flight();
                }
                // The client gives up.
                (21, _) => {
                    self.events.push_back(DtlsEvent::State(DtlsState::Failed));
                    self.due = None;
                }
                _ => {}
            }
        }
        if self.flight.is_empty() && self.messages.contains_key(&0) {
            self.begin();
            self.due = Some(now + self.wait);
            self.send_flight();
        }
        let is_complete = (0..=CERTIFICATE_VERIFY_SEQ).all(|seq| self.messages.contains_key(&seq));
        if is_complete && self.has_finished && self.last_flight.is_none() {
            self.complete();
            self.due = None;
            self.events
                .push_back(DtlsEvent::State(DtlsState::Connected));
            self.send_last_flight();
        }
    }

    /// Makes the flight that answers ClientHello.
    fn begin(&mut self) {
        let random = rand::SystemRandom::new();
        let ephemeral = agreement::EphemeralPrivateKey::generate(&agreement::X25519, &random);
        let ephemeral = ephemeral.unwrap();
        let public = ephemeral.compute_public_key().unwrap();
        self.ephemeral = Some(ephemeral);

        let mut hello = vec![254, 253];
        hello.extend_from_slice(&self.random);
        // No session; the suite; no compression.
        hello.extend_from_slice(&[0, 0xc0, 0x2b, 0]);
        let extensions = [
            &[0, 14, 0, 5, 0, 2, 0, 7, 0][..], // use_srtp: AEAD_AES_128_GCM
            &[0, 23, 0, 0],                    // extended_master_secret
            &[255, 1, 0, 1, 0],                // renegotiation_info
        ]
        .concat();
        hello.extend_from_slice(&(extensions.len() as u16).to_be_bytes());
        hello.extend_from_slice(&extensions);

        let one = [number(self.certificate.len()), self.certificate.clone()].concat();
        let certificate = [number(one.len()), one].concat();

        let mut exchange = vec![3, 0, 29, 32];
        exchange.extend_from_slice(public.as_ref());
        let signed = [self.client_random(), &self.random, &exchange].concat();
        let signature = self.key.sign(&random, &signed).unwrap();
        exchange.extend_from_slice(&[4, 3]);
        exchange.extend_from_slice(&(signature.as_ref().len() as u16).to_be_bytes());
        exchange.extend_from_slice(signature.as_ref());

        // ECDSA certificates, ECDSA with SHA-256, no authorities.
        let request = vec![1, 64, 0, 2, 4, 3, 0, 0];
        let bodies = [
            (2, hello),
            (11, certificate),
            (12, exchange),
            (13, request),
            (14, vec![]),
        ];
        for (seq, (message_type, body)) in bodies.into_iter().enumerate() {
            self.flight.push(message(message_type, seq as u8, &body));
        }
    }

    fn client_random(&self) -> &[u8] {
        &self.messages[&0][14..46]
    }

    /// Computes the keys and the Finished message.
    fn complete(&mut self) {
        let hello = self.messages[&0].clone();
        let mut transcript = [hello, self.flight.concat()].concat();
        transcript.extend_from_slice(&self.messages[&1]);
        transcript.extend_from_slice(&self.messages[&2]);
        // ClientKeyExchange: a length and the point.
        let point = self.messages[&2][13..].to_vec();
        let peer = agreement::UnparsedPublicKey::new(&agreement::X25519, point);
        let ephemeral = self.ephemeral.take().unwrap();
        let secret = agreement::agree_ephemeral(ephemeral, &peer, <[u8]>::to_vec).unwrap();
        let master = prf(&secret, b"extended master secret", &sha256(&transcript), 48);
        let randoms = [&self.random, self.client_random()].concat();
        let block = prf(&master, b"key expansion", &randoms, 40);
        let key = aead::UnboundKey::new(&aead::AES_128_GCM, &block[16..32]).unwrap();

        transcript.extend_from_slice(&self.messages[&CERTIFICATE_VERIFY_SEQ]);
        let theirs = prf(&master, b"client finished", &sha256(&transcript), 12);
        transcript.extend(message(20, 4, &theirs));
        let ours = prf(&master, b"server finished", &sha256(&transcript), 12);
        let salt = block[36..40].try_into().unwrap();
        let finished = message(20, 5, &ours);
        self.last_flight = Some((aead::LessSafeKey::new(key), salt, finished));
    }

    fn send_flight(&mut self) {
        let flight = self.flight.clone();
        let records = flight.iter().map(|body| self.record(HANDSHAKE, 0, body));
        let datagram: Vec<u8> = records.flatten().collect();
        self.transmits.push_back(datagram.into());
    }

    /// Sends ChangeCipherSpec and Finished, if the client's flight is complete.
    fn send_last_flight(&mut self) {
        let Some((key, salt, finished)) = self.last_flight.take() else {
            return;
        };
        let mut datagram = self.record(CHANGE_CIPHER_SPEC, 0, &[1]);
        let explicit = (1 << 48 | self.next_record[1]).to_be_bytes();
        let nonce: [u8; 12] = [&salt[..], &explicit].concat().try_into().unwrap();
        let len = (finished.len() as u16).to_be_bytes();
        let additional = [&explicit[..], &[HANDSHAKE, 254, 253], &len].concat();
        let mut sealed = finished.clone();
        let nonce = aead::Nonce::assume_unique_for_key(nonce);
        key.seal_in_place_append_tag(nonce, aead::Aad::from(additional), &mut sealed)
            .unwrap();
        datagram.extend(self.record(HANDSHAKE, 1, &[&explicit[..], &sealed].concat()));
        self.transmits.push_back(datagram.into());
        self.last_flight = Some((key, salt, finished));
    }

    fn record(&mut self, content_type: u8, epoch: u8, body: &[u8]) -> Vec<u8> {
        let sequence = &mut self.next_record[usize::from(epoch)];
        let mut record = vec![content_type, 254, 253, 0, epoch];
        record.extend_from_slice(&sequence.to_be_bytes()[2..]);
        *sequence += 1;
        record.extend_from_slice(&(body.len() as u16).to_be_bytes());
        record.extend_from_slice(body);
        record
    }
}

fn number(value: usize) -> Vec<u8> {
    (value as u32).to_be_bytes()[1..].to_vec()
}

/// A message that is one fragment.
fn message(message_type: u8, seq: u8, body: &[u8]) -> Vec<u8> {
    let len = number(body.len());
    [&[message_type][..], &len, &[0, seq, 0, 0, 0], &len, body].concat()
}

fn sha256(data: &[u8]) -> Vec<u8> {
    digest::digest(&digest::SHA256, data).as_ref().to_vec()
}

/// RFC 5246 §5.
fn prf(secret: &[u8], label: &[u8], seed: &[u8], len: usize) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    let seed = [label, seed].concat();
    let mut a = seed.clone();
    let mut out = Vec::new();
    while out.len() < len {
        a = hmac::sign(&key, &a).as_ref().to_vec();
        out.extend_from_slice(hmac::sign(&key, &[&a[..], &seed].concat()).as_ref());
    }
    out.truncate(len);
    out
}
