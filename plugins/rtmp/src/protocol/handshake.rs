//! The handshake (§5.2): the client's half, and the server's.
//!
//! The simple form is spoken, as by OBS and FFmpeg: a version of 0 in C1 tells servers that no digest is in it, and all
//! answer in kind. One that answers with a digest all the same is not asked for proof: what it would prove is that it
//! is a product of Adobe's. Clients that send a digest take the simple answer.

/// Random bytes of C1.
pub(crate) const RANDOM: usize = 1528;
/// C1 and S1, C2 and S2.
const PACKET: usize = 1536;
const VERSION: u8 = 3;

/// See the head of this file.
#[derive(Debug, Default)]
pub(crate) struct Handshake {
    /// What has come of S0 and S1; S2 is only counted.
    received: Vec<u8>,
    of_s2: usize,
}

/// The other side does not speak RTMP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NotRtmp;

impl Handshake {
    /// C0 and C1. What is random in it need not be unpredictable.
    pub(crate) fn begin(random: &[u8; RANDOM], out: &mut Vec<u8>) -> Self {
        out.push(VERSION);
        out.extend([0; 8]); // time 0, version 0
        out.extend_from_slice(random);
        Self::default()
    }

    /// Takes its part of what has come, and gives the rest once it is over. C2 goes out when S1 has come: there are
    /// servers that wait for it before they send S2.
    ///
    /// # Errors
    /// [`NotRtmp`], by the first byte
    pub(crate) fn on_data<'a>(
        &mut self,
        data: &'a [u8],
        out: &mut Vec<u8>,
    ) -> Result<Option<&'a [u8]>, NotRtmp> {
        let wanted = 1 + PACKET - self.received.len();
        let (first, rest) = data.split_at(wanted.min(data.len()));
        self.received.extend_from_slice(first);
        // The versions after 3 are reserved, and servers that want something answer with theirs; text is none.
        if self
            .received
            .first()
            .is_some_and(|version| !(VERSION..32).contains(version))
        {
            return Err(NotRtmp);
        }
        if self.received.len() < 1 + PACKET {
            return Ok(None);
        }
        if !first.is_empty() {
            out.extend_from_slice(self.received.get(1..).unwrap_or_default());
        }
        let (s2, rest) = rest.split_at((PACKET - self.of_s2).min(rest.len()));
        self.of_s2 += s2.len();
        Ok((self.of_s2 == PACKET).then_some(rest))
    }
}

/// The server's half.
#[derive(Debug, Default)]
pub(crate) struct Welcome {
    /// What has come of C0 and C1; C2 is only counted.
    received: Vec<u8>,
    of_c2: usize,
}

impl Welcome {
    /// Takes its part of what has come, and gives the rest once it is over. S0, S1 and S2 go out when C1 has come.
    /// What is random in S1 need not be unpredictable.
    ///
    /// # Errors
    /// [`NotRtmp`], by the first byte
    pub(crate) fn on_data<'a>(
        &mut self,
        data: &'a [u8],
        random: &[u8; RANDOM],
        out: &mut Vec<u8>,
    ) -> Result<Option<&'a [u8]>, NotRtmp> {
        let wanted = 1 + PACKET - self.received.len();
        let (first, rest) = data.split_at(wanted.min(data.len()));
        self.received.extend_from_slice(first);
        // 6 would be encrypted in a way that nobody here speaks, 22 begins TLS.
        match self.received.first() {
            Some(&VERSION) | None => {}
            Some(_) => return Err(NotRtmp),
        }
        if self.received.len() < 1 + PACKET {
            return Ok(None);
        }
        if !first.is_empty() {
            out.push(VERSION);
            out.extend([0; 8]); // time 0, version 0
            out.extend_from_slice(random);
            out.extend_from_slice(self.received.get(1..).unwrap_or_default());
        }
        let (c2, rest) = rest.split_at((PACKET - self.of_c2).min(rest.len()));
        self.of_c2 += c2.len();
        Ok((self.of_c2 == PACKET).then_some(rest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_may_answer_in_any_pieces() {
        let mut answer = vec![3];
        answer.extend((0..2 * PACKET).map(|index| u8::try_from(index % 251).unwrap()));
        answer.extend(b"chunk");
        for size in [1, 7, 1536, 1537, 4000] {
            let mut out = Vec::new();
            let mut handshake = Handshake::begin(&[9; RANDOM], &mut out);
            assert_eq!(
                (out.len(), &out[..9]),
                (1 + PACKET, &[3, 0, 0, 0, 0, 0, 0, 0, 0][..])
            );
            let mut rest = Vec::new();
            for piece in answer.chunks(size) {
                if let Some(behind) = handshake.on_data(piece, &mut out).unwrap() {
                    rest.extend_from_slice(behind);
                }
            }
            assert_eq!(rest, b"chunk", "{size}");
            assert_eq!(out[1 + PACKET..], answer[1..=PACKET], "C2 repeats S1");
        }
    }

    #[test]
    fn a_client_may_come_in_any_pieces() {
        for size in [1, 7, 1537, 4000] {
            let mut said = Vec::new();
            let mut client = Handshake::begin(&[9; RANDOM], &mut said);
            let mut welcome = Welcome::default();
            let mut answer = Vec::new();
            for piece in said.chunks(size) {
                let rest = welcome.on_data(piece, &[7; RANDOM], &mut answer).unwrap();
                assert_eq!(rest, None);
            }
            assert_eq!(answer.len(), 1 + 2 * PACKET, "{size}");
            let mut last = Vec::new();
            assert_eq!(client.on_data(&answer, &mut last), Ok(Some(&[][..])));
            last.extend(b"chunk");
            let mut rest = Vec::new();
            for piece in last.chunks(size) {
                let behind = welcome.on_data(piece, &[7; RANDOM], &mut answer).unwrap();
                rest.extend_from_slice(behind.unwrap_or_default());
            }
            assert_eq!(rest, b"chunk", "{size}");
        }
        for other in [&b"GET / HTTP/1.1"[..], &[22, 3, 1], &[6]] {
            let answer = Welcome::default().on_data(other, &[0; RANDOM], &mut Vec::new());
            assert_eq!(answer, Err(NotRtmp));
        }
    }

    #[test]
    fn another_protocol_is_recognised() {
        let mut handshake = Handshake::begin(&[0; RANDOM], &mut Vec::new());
        let answer = handshake.on_data(b"HTTP/1.1 400", &mut Vec::new());
        assert_eq!(answer, Err(NotRtmp));
    }
}
