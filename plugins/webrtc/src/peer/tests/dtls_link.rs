//! Two DTLS transports and what the network between them does to their datagrams, in virtual time.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::dtls_server::DtlsServer;
use super::network::{Chance, Impairment};
use rivero_srtp::SrtpProfile;

use crate::peer::*;

const RECORD_HEADER_LEN: usize = 13;
const FRAGMENT_HEADER_LEN: usize = 12;
const HANDSHAKE: u8 = 22;

/// What becomes of one datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It arrives like all others.
    Usual,
    Lost,
    /// It arrives later.
    Late(Duration),
}

/// Who sits at an end of the link.
pub(super) enum Side {
    Ours(Box<DtlsTransport>),
    Other(Box<DtlsServer>),
}

impl Side {
    pub(super) fn handle_datagram(&mut self, now: Instant, datagram: &[u8]) {
        match self {
            Self::Ours(dtls) => dtls.handle_datagram(now, datagram),
            Self::Other(server) => server.handle_datagram(now, datagram),
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        match self {
            Self::Ours(dtls) => dtls.handle_timeout(now),
            Self::Other(server) => server.handle_timeout(now),
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        match self {
            Self::Ours(dtls) => dtls.poll_timeout(),
            Self::Other(server) => server.poll_timeout(),
        }
    }

    pub(super) fn poll_transmit(&mut self) -> Option<Bytes> {
        match self {
            Self::Ours(dtls) => dtls.poll_transmit(),
            Self::Other(server) => server.poll_transmit(),
        }
    }

    fn poll_event(&mut self) -> Option<DtlsEvent> {
        match self {
            Self::Ours(dtls) => dtls.poll_event(),
            Self::Other(server) => server.poll_event(),
        }
    }

    /// Sends application data, of which only ours know.
    pub(super) fn send(&mut self, now: Instant, data: &[u8]) {
        if let Self::Ours(dtls) = self {
            dtls.send(now, data).unwrap();
        }
    }
}

/// The client is side 0, the server side 1.
pub(super) struct Link {
    begin: Instant,
    pub(super) now: Instant,
    pub(super) sides: [Side; 2],
    pub(super) states: [Vec<(Duration, DtlsState)>; 2],
    /// Application data that arrived.
    pub(super) data: [Vec<Bytes>; 2],
    pub(super) sent: [usize; 2],
    impairment: Impairment,
    /// Decides on the datagram of this number of this side, before the impairment does.
    fate: Box<dyn Fn(usize, usize) -> Fate>,
    /// The largest datagram with handshake messages of each side; larger ones leave in pieces.
    datagram_len: [Option<usize>; 2],
    next_record: [u64; 2],
    flying: BTreeMap<(Instant, u64), (usize, Vec<u8>)>,
    sequence: u64,
    chance: Chance,
}

impl Link {
    /// Between two of ours.
    pub(super) fn new(impairment: Impairment, datagram_len: Option<usize>, seed: u64) -> Self {
        let [client, server] = [0, 1].map(|_| Certificate::generate(KeyType::Ecdsa).unwrap());
        let sides = [
            ours(&client, server.fingerprint(), DtlsRole::Client),
            ours(&server, client.fingerprint(), DtlsRole::Server),
        ];
        Self::between(sides, impairment, [datagram_len; 2], seed)
    }

    /// Between our client and another server, whose datagrams are at most `datagram_len` long.
    pub(super) fn to_other_server(
        impairment: Impairment,
        datagram_len: Option<usize>,
        seed: u64,
    ) -> Self {
        let client = Certificate::generate(KeyType::Ecdsa).unwrap();
        let server = DtlsServer::new();
        let sides = [
            ours(&client, &server.fingerprint(), DtlsRole::Client),
            Side::Other(Box::new(server)),
        ];
        Self::between(sides, impairment, [None, datagram_len], seed)
    }

    fn between(
        mut sides: [Side; 2],
        impairment: Impairment,
        datagram_len: [Option<usize>; 2],
        seed: u64,
    ) -> Self {
        let begin = Instant::now();
        for side in &mut sides {
            if let Side::Ours(dtls) = side {
                dtls.start(begin);
            }
        }
        Self {
            begin,
            now: begin,
            sides,
            states: Default::default(),
            data: Default::default(),
            sent: [0, 0],
            impairment,
            fate: Box::new(|_, _| Fate::Usual),
            datagram_len,
            next_record: [0, 0],
            flying: BTreeMap::new(),
            sequence: 0,
            chance: Chance(seed),
        }
    }

    /// `fate` gets the number of the sending side and the number of its datagram.
    pub(super) fn with_fate(mut self, fate: impl Fn(usize, usize) -> Fate + 'static) -> Self {
        self.fate = Box::new(fate);
        self
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.now - self.begin
    }

    pub(super) fn both_connected(&self) -> bool {
        (0..2).all(|side| self.state(side) == Some(DtlsState::Connected))
    }

    pub(super) fn state(&self, side: usize) -> Option<DtlsState> {
        self.states[side].last().map(|(_, state)| *state)
    }

    /// Lets what is on its way arrive later.
    pub(super) fn delay_flying(&mut self, delay: Duration) {
        let flying = std::mem::take(&mut self.flying);
        let later = flying
            .into_iter()
            .map(|((at, n), datagram)| ((at + delay, n), datagram));
        self.flying = later.collect();
    }

    /// Runs until `done`, at most for `limit` of virtual time; whether `done` came true.
    pub(super) fn run_until(&mut self, limit: Duration, done: impl Fn(&Self) -> bool) -> bool {
        let end = self.now + limit;
        loop {
            self.drain();
            if done(self) {
                return true;
            }
            let arrival = self.flying.keys().next().map(|(at, _)| *at);
            let timers = self.sides.iter().filter_map(Side::poll_timeout);
            let Some(next) = timers.chain(arrival).min().filter(|at| *at <= end) else {
                self.now = end;
                return false;
            };
            self.now = self.now.max(next);
            while let Some(entry) = self.flying.first_entry().filter(|e| e.key().0 <= self.now) {
                let (to, bytes) = entry.remove();
                self.sides[to].handle_datagram(self.now, &bytes);
            }
            for side in &mut self.sides {
                side.handle_timeout(self.now);
            }
        }
    }

    fn drain(&mut self) {
        for side in 0..2 {
            while let Some(bytes) = self.sides[side].poll_transmit() {
                for datagram in self.in_pieces(side, &bytes) {
                    self.send(side, datagram);
                }
            }
            let elapsed = self.elapsed();
            while let Some(event) = self.sides[side].poll_event() {
                match event {
                    DtlsEvent::State(state) => self.states[side].push((elapsed, state)),
                    DtlsEvent::Data(data) => self.data[side].push(data),
                    DtlsEvent::Keys(..) | DtlsEvent::Trouble(_) => {}
                }
            }
        }
    }

    fn send(&mut self, from: usize, datagram: Vec<u8>) {
        let number = self.sent[from];
        self.sent[from] += 1;
        let late = match (self.fate)(from, number) {
            Fate::Usual => Duration::ZERO,
            Fate::Lost => return,
            Fate::Late(delay) => delay,
        };
        let copies = 1 + u64::from(self.chance.below(100) < self.impairment.duplication);
        for _ in 0..copies {
            if self.chance.below(100) < self.impairment.loss {
                continue;
            }
            let jitter = self.impairment.jitter.as_micros() as u64 + 1;
            let jitter = Duration::from_micros(self.chance.below(jitter));
            let arrival = self.now + self.impairment.one_way + jitter + late;
            self.sequence += 1;
            let flying = (1 - from, datagram.clone());
            self.flying.insert((arrival, self.sequence), flying);
        }
    }

    /// What a side sends as a peer with smaller datagrams would: a record each, with handshake
    /// messages in fragments. Repetitions are cut elsewhere now and then.
    fn in_pieces(&mut self, side: usize, datagram: &[u8]) -> Vec<Vec<u8>> {
        let Some(longest) = self.datagram_len[side] else {
            return vec![datagram.to_vec()];
        };
        let longest = longest - self.chance.below(3) as usize * longest / 5;
        let room = longest - RECORD_HEADER_LEN - FRAGMENT_HEADER_LEN;
        let mut datagrams = Vec::new();
        let mut rest = datagram;
        while !rest.is_empty() {
            let len = usize::from(u16::from_be_bytes([rest[11], rest[12]]));
            let (record, others) = rest.split_at(RECORD_HEADER_LEN + len);
            rest = others;
            let (header, body) = record.split_at(RECORD_HEADER_LEN);
            if header[3..5] != [0, 0] {
                datagrams.push(record.to_vec());
            } else if header[0] == HANDSHAKE {
                // `rtc-dtls` puts one whole message into a record when it is shorter than the MTU.
                let (fragment_header, message) = body.split_at(FRAGMENT_HEADER_LEN);
                assert_eq!(fragment_header[1..4], fragment_header[9..12]);
                let mut start = 0;
                loop {
                    let piece = &message[start..message.len().min(start + room)];
                    let mut body = fragment_header[..6].to_vec();
                    body.extend_from_slice(&(start as u32).to_be_bytes()[1..]);
                    body.extend_from_slice(&(piece.len() as u32).to_be_bytes()[1..]);
                    body.extend_from_slice(piece);
                    datagrams.push(self.plain_record(side, header, &body));
                    start += piece.len();
                    if start == message.len() {
                        break;
                    }
                }
            } else {
                datagrams.push(self.plain_record(side, header, body));
            }
        }
        datagrams
    }

    fn plain_record(&mut self, side: usize, header: &[u8], body: &[u8]) -> Vec<u8> {
        let mut record = header[..5].to_vec();
        record.extend_from_slice(&self.next_record[side].to_be_bytes()[2..]);
        record.extend_from_slice(&(body.len() as u16).to_be_bytes());
        record.extend_from_slice(body);
        self.next_record[side] += 1;
        record
    }
}

fn ours(certificate: &Certificate, remote: &Fingerprint, role: DtlsRole) -> Side {
    let profiles = [SrtpProfile::AeadAes128Gcm];
    let dtls = DtlsTransport::new(certificate, remote.clone(), role, &profiles);
    Side::Ours(Box::new(dtls.unwrap()))
}
