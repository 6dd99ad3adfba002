//! Watches the bytes that a WebSocket receives, before the library that puts messages together
//! has them all.
//!
//! That library says nothing of a message before its end, and reserves memory for as much as a
//! frame announces. So the frames are followed here (RFC 6455 section 5.2): what is unfinished is
//! claimed from the account of the client as it comes, and it is known whether something is.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::accounts::{Account, Claim, Exhausted, Resource};

/// Bytes of an unfinished message that count for nobody.
const FREE: u64 = 16 << 10;

/// A stream of frames, and how much of them is unfinished.
#[derive(Debug)]
pub(super) struct Meter<S> {
    stream: S,
    frames: Frames,
    /// For what is beyond [`FREE`].
    claim: Claim,
    /// Why nothing more is read.
    refusal: Option<Exhausted>,
    /// Bytes read so far.
    progress: u64,
}

impl<S> Meter<S> {
    /// `rest` has been read already.
    pub(super) fn new(stream: S, rest: &[u8], large: u64, account: &Arc<Account>) -> Meter<S> {
        let mut frames = Frames::new(large);
        frames.feed(rest);
        Meter {
            stream,
            frames,
            claim: Claim::none(account, Resource::RequestBytes),
            refusal: None,
            progress: 0,
        }
    }

    /// What the message that came last has been claimed, for who works on it.
    pub(super) fn take_claim(&mut self) -> Claim {
        self.frames.received = 0;
        let none = Claim::none(self.claim.account(), Resource::RequestBytes);
        std::mem::replace(&mut self.claim, none)
    }

    /// Why reading ended, if the account may have no more unfinished bytes.
    pub(super) fn refusal(&self) -> Option<Exhausted> {
        self.refusal
    }

    /// Whether a message has begun and not ended.
    pub(super) fn is_unfinished(&self) -> bool {
        self.frames.is_unfinished()
    }

    /// Bytes read so far.
    pub(super) fn progress(&self) -> u64 {
        self.progress
    }

    /// Whether a frame larger than `large` has come, and nothing of what follows its message:
    /// whoever put it together can be replaced without a loss.
    pub(super) fn ends_after_large_frame(&self) -> bool {
        self.frames.cautious && !self.frames.is_unfinished()
    }

    /// Nothing is left of large frames.
    pub(super) fn forget_large_frame(&mut self) {
        self.frames.cautious = false;
    }

    pub(super) fn stream_mut(&mut self) -> &mut S {
        &mut self.stream
    }

    fn claim_unfinished(&mut self) -> io::Result<()> {
        let beyond = self.frames.received.saturating_sub(FREE);
        if beyond <= self.claim.amount() {
            return Ok(());
        }
        self.claim.resize(beyond).map_err(|exhausted| {
            self.refusal = Some(exhausted);
            io::Error::other(exhausted)
        })
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Meter<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        this.claim_unfinished()?;
        let before = buf.filled().len();
        match this.frames.most() {
            None => ready!(Pin::new(&mut this.stream).poll_read(cx, buf))?,
            Some(most) => {
                let most = most.min(buf.remaining());
                let mut part = ReadBuf::new(buf.initialize_unfilled_to(most));
                ready!(Pin::new(&mut this.stream).poll_read(cx, &mut part))?;
                let count = part.filled().len();
                buf.advance(count);
            }
        }
        let read = buf.filled().get(before..).unwrap_or_default();
        this.progress += read.len() as u64;
        this.frames.feed(read);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Meter<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// Where in a stream of frames we are.
#[derive(Debug)]
struct Frames {
    /// The head of the next frame, as far as it has come.
    head: Vec<u8>,
    /// Bytes of the payload that are still to come.
    payload: u64,
    /// Whether frames of the same message are still to come.
    continues: bool,
    /// Bytes of payload since the last message that was taken.
    received: u64,
    /// What counts as a large frame.
    large: u64,
    /// Whether a large frame has come: then nothing is read beyond the frame at hand, since what
    /// would be read of the next one could not be told apart any more.
    cautious: bool,
}

/// Bytes that every head has.
const SHORTEST_HEAD: usize = 2;

impl Frames {
    fn new(large: u64) -> Frames {
        Frames {
            head: Vec::with_capacity(14),
            payload: 0,
            continues: false,
            received: 0,
            large,
            cautious: false,
        }
    }

    fn is_unfinished(&self) -> bool {
        self.payload > 0 || self.continues || !self.head.is_empty()
    }

    /// How much may be read at once, if not everything may.
    fn most(&self) -> Option<usize> {
        if !self.cautious {
            return None;
        }
        Some(match usize::try_from(self.payload) {
            Ok(0) => head_length(&self.head) - self.head.len(),
            Ok(payload) => payload,
            Err(_) => usize::MAX,
        })
    }

    fn feed(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let count = if self.payload > 0 {
                self.feed_payload(bytes)
            } else {
                self.feed_head(bytes)
            };
            bytes = bytes.get(count..).unwrap_or_default();
        }
    }

    fn feed_payload(&mut self, bytes: &[u8]) -> usize {
        let count = self.payload.min(bytes.len() as u64);
        self.payload -= count;
        self.received += count;
        usize::try_from(count).unwrap_or(bytes.len())
    }

    fn feed_head(&mut self, bytes: &[u8]) -> usize {
        let missing = head_length(&self.head) - self.head.len();
        let part = bytes.get(..missing).unwrap_or(bytes);
        self.head.extend_from_slice(part);
        if self.head.len() >= SHORTEST_HEAD && self.head.len() == head_length(&self.head) {
            self.begin_frame();
        }
        part.len()
    }

    fn begin_frame(&mut self) {
        let &[first, second, ..] = &*self.head else {
            return;
        };
        self.payload = match (second & 0x7f, self.head.get(2..)) {
            (126, Some(&[a, b, ..])) => u16::from_be_bytes([a, b]).into(),
            (127, Some(&[a, b, c, d, e, f, g, h, ..])) => {
                u64::from_be_bytes([a, b, c, d, e, f, g, h])
            }
            (length, _) => length.into(),
        };
        // Control frames, with opcodes from 8 on, come between those of a message.
        if first & 0x08 == 0 {
            self.continues = first & 0x80 == 0;
        }
        // So that not even empty frames are free.
        self.received += self.head.len() as u64;
        self.cautious |= self.payload > self.large;
        self.head.clear();
    }
}

/// The length of a head of which the beginning is known.
fn head_length(head: &[u8]) -> usize {
    let Some(second) = head.get(1) else {
        return SHORTEST_HEAD;
    };
    let length = match second & 0x7f {
        126 => 2,
        127 => 8,
        _ => 0,
    };
    let mask = if second & 0x80 == 0 { 0 } else { 4 };
    SHORTEST_HEAD + length + mask
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A masked frame.
    fn frame(first: u8, length: usize) -> Vec<u8> {
        let mut frame = vec![first];
        match length {
            0..126 => frame.push(0x80 | u8::try_from(length).unwrap()),
            126..65_536 => {
                frame.push(0x80 | 126);
                frame.extend(u16::try_from(length).unwrap().to_be_bytes());
            }
            _ => {
                frame.push(0x80 | 127);
                frame.extend((length as u64).to_be_bytes());
            }
        }
        frame.extend([0; 4]);
        frame.extend(vec![b'x'; length]);
        frame
    }

    #[test]
    fn a_message_is_finished_with_its_last_frame_wherever_reads_end() {
        let (text, rest, ping) = (0x01, 0x80, 0x89);
        for length in [0, 1, 125, 126, 65_535, 65_536, 70_000] {
            let mut bytes = frame(text, length);
            bytes.extend(frame(ping, 3));
            bytes.extend(frame(rest, length));
            for step in [1, 2, 7, 1_000_000] {
                let mut frames = Frames::new(1 << 20);
                for part in bytes[..bytes.len() - 1].chunks(step) {
                    frames.feed(part);
                    assert!(frames.is_unfinished(), "{length} by {step}");
                }
                frames.feed(&bytes[bytes.len() - 1..]);
                assert!(!frames.is_unfinished(), "{length} by {step}");
                assert!(frames.received >= 2 * length as u64);
            }
        }
    }

    #[test]
    fn nothing_is_read_beyond_a_large_frame() {
        let mut frames = Frames::new(1_000);
        let large = frame(0x81, 2_000);
        frames.feed(&large[..500]);
        let mut fed = 500;
        while frames.is_unfinished() {
            let most = frames.most().unwrap();
            assert!(fed + most <= large.len());
            frames.feed(&large[fed..fed + most]);
            fed += most;
        }
        assert_eq!((fed, frames.most()), (large.len(), Some(SHORTEST_HEAD)));
    }

    #[tokio::test]
    async fn unfinished_bytes_are_claimed_as_they_come() {
        use tokio::io::AsyncReadExt;
        let account = Account::alone();
        let most = account.limits().of(Resource::RequestBytes).account;
        let announced = frame(0x81, 20_000);
        let mut meter = Meter::new(&*announced, &[], 1 << 20, &account);
        let mut buffer = vec![0; announced.len()];
        while meter.progress() < announced.len() as u64 {
            assert!(meter.read(&mut buffer).await.unwrap() > 0);
        }
        assert!(meter.read(&mut buffer).await.is_ok());
        let claimed = account.usage(Resource::RequestBytes);
        assert_eq!(claimed, announced.len() as u64 - FREE);
        let _others = account
            .claim(Resource::RequestBytes, most - claimed)
            .unwrap();
        let more = frame(0x81, 1);
        meter.stream = &more;
        assert!(meter.read(&mut buffer).await.unwrap() > 0);
        assert!(meter.read(&mut buffer).await.is_err() && meter.refusal().is_some());
        assert_eq!(meter.take_claim().amount(), claimed);
    }
}
