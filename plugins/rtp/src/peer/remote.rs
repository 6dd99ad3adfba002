//! Where a peer is: what its description says, and what its packets show.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

/// The former address of a peer has to be silent for this long before the same stream from another one
/// counts as the peer moved by a translator: packets of two addresses in turn are no move.
const MOVED: Duration = Duration::from_millis(500);
/// Packets by which a stream may have gone on while its peer moved: half a minute of sound.
const LARGEST_GAP: u16 = 3000;
/// Where nothing is sent to a learnt address, media of another one is taken after this silence: a sender
/// may begin anew from wherever it likes.
const FORGOTTEN: Duration = Duration::from_secs(2);

/// The addresses in the peer's description.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Described {
    /// `None`: hold (0.0.0.0), or not known.
    pub(crate) rtp: Option<SocketAddr>,
    /// The same for RTCP.
    pub(crate) rtcp: Option<SocketAddr>,
    /// Addresses are those that packets come from.
    pub(crate) learns: bool,
    /// The peer is not to be sent anything: `c=IN IP4 0.0.0.0` (RFC 3264 §8.4).
    pub(crate) held: bool,
}

/// An RTP packet as far as addresses go.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sign {
    pub(crate) ssrc: u32,
    pub(crate) sequence: u16,
    /// Its authentication tag was right: only the peer can have made it.
    pub(crate) authentic: bool,
}

/// From where media comes.
#[derive(Debug, Clone, Copy)]
struct Source {
    address: SocketAddr,
    ssrc: u32,
    sequence: u16,
    latest: Instant,
}

/// The peer of one section.
#[derive(Debug, Default)]
pub(crate) struct Remote {
    described: Described,
    source: Option<Source>,
    /// From where RTCP comes, on the port for it.
    reports: Option<SocketAddr>,
    /// Where RTP is to be sent has been learnt, or has changed, since it was last asked.
    moved: bool,
}

impl Remote {
    /// Takes the addresses of a description. What was learnt stays as long as it says the same.
    pub(crate) fn describe(&mut self, described: Described) {
        let places = |described: &Described| (described.rtp, described.rtcp, described.learns);
        // A hold says nothing about where the peer is, nor does its end.
        let moved = !described.held && places(&described) != places(&self.described);
        let resumed = self.described.held && described.learns;
        if moved && !resumed {
            self.source = None;
            self.reports = None;
        }
        self.described = described;
    }

    /// Where RTP is to be sent.
    #[inline]
    pub(crate) fn rtp_target(&self) -> Option<SocketAddr> {
        if self.described.held {
            return None;
        }
        let learnt = self.source.filter(|_| self.described.learns);
        learnt.map(|source| source.address).or(self.described.rtp)
    }

    /// Where RTCP is to be sent; `muxed` where it shares the port of RTP.
    pub(crate) fn rtcp_target(&self, muxed: bool) -> Option<SocketAddr> {
        if muxed {
            return self.rtp_target();
        }
        if self.described.held {
            return None;
        }
        let learnt = self.reports.filter(|_| self.described.learns);
        learnt.or(self.described.rtcp)
    }

    /// Whether a valid RTP packet is the peer's: notes where it is, or refuses a stranger's.
    #[inline]
    pub(crate) fn on_rtp(&mut self, now: Instant, from: SocketAddr, sign: Sign) -> bool {
        let is_taken = match &self.source {
            None => true,
            Some(source) if source.address == from => true,
            Some(source) => self.may_move(now, source, from, sign),
        };
        if is_taken {
            let is_new = self.source.is_none_or(|source| source.address != from);
            self.moved |= is_new && self.described.learns;
            self.source = Some(Source {
                address: from,
                ssrc: sign.ssrc,
                sequence: sign.sequence,
                latest: now,
            });
        }
        is_taken
    }

    /// Whether RTP is to be sent elsewhere than before, by what packets have shown; once for each move.
    #[inline]
    pub(crate) fn take_moved(&mut self) -> bool {
        std::mem::take(&mut self.moved)
    }

    fn may_move(&self, now: Instant, source: &Source, from: SocketAddr, sign: Sign) -> bool {
        if sign.authentic {
            return true;
        }
        let silence = now.saturating_duration_since(source.latest);
        if !self.described.learns {
            // Nothing is sent there: at worst somebody is heard who should not be.
            return self.described.rtp == Some(from) || silence >= FORGOTTEN;
        }
        // A stranger would have to know which stream it is and how far.
        let gap = sign.sequence.wrapping_sub(source.sequence);
        let goes_on = sign.ssrc == source.ssrc && (1..=LARGEST_GAP).contains(&gap);
        goes_on && silence >= MOVED
    }

    /// Whether a report is the peer's. `own_port`: it came to the port for RTCP, from where addresses may be
    /// learnt.
    pub(crate) fn on_rtcp(&mut self, from: SocketAddr, authentic: bool, own_port: bool) -> bool {
        let known = [
            self.source.map(|source| source.address),
            self.described.rtp,
            self.described.rtcp,
            self.reports,
        ];
        let mut known = known.into_iter().flatten().peekable();
        let is_new = known.peek().is_none();
        let is_peer = authentic || is_new || known.any(|address| address.ip() == from.ip());
        // Behind a translator reports may leave from anywhere while media has not been heard yet.
        let is_taken = is_peer || self.described.learns && self.source.is_none();
        if is_taken && own_port {
            self.reports = Some(from);
        }
        is_taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    fn sign(ssrc: u32, sequence: u16) -> Sign {
        Sign {
            ssrc,
            sequence,
            authentic: false,
        }
    }

    fn learning() -> Remote {
        let mut remote = Remote::default();
        remote.describe(Described {
            rtp: Some(address("10.0.0.5:4000")),
            rtcp: Some(address("10.0.0.5:4001")),
            learns: true,
            held: false,
        });
        remote
    }

    #[test]
    fn an_address_is_learnt_and_followed_by_the_stream_once_it_is_silent() {
        let (mut remote, begin) = (learning(), Instant::now());
        let at = |ms| begin + Duration::from_millis(ms);
        let (first, moved) = (address("198.51.100.1:6000"), address("198.51.100.1:7000"));
        let stranger = address("203.0.113.9:1");
        assert_eq!(remote.rtp_target(), Some(address("10.0.0.5:4000")));
        assert!(remote.on_rtp(at(0), first, sign(7, 65_530)));
        assert_eq!(remote.rtp_target(), Some(first));
        assert!(remote.take_moved() && !remote.take_moved());
        assert!(!remote.on_rtp(at(10), stranger, sign(9, 1)));
        assert!(remote.on_rtp(at(20), first, sign(7, 65_531)));
        assert!(
            !remote.on_rtp(at(40), moved, sign(7, 65_532)),
            "both at once"
        );
        for ms in [600, 2000, 20_000] {
            assert!(
                !remote.on_rtp(at(ms), stranger, sign(9, 2)),
                "never a stranger"
            );
        }
        assert_eq!(remote.rtp_target(), Some(first));
        assert!(
            remote.on_rtp(at(20_100), moved, sign(7, 500)),
            "across the wrap"
        );
        assert_eq!(remote.rtp_target(), Some(moved));
        assert!(
            remote.on_rtp(at(20_120), moved, sign(8, 21_294)),
            "a transfer"
        );
    }

    #[test]
    fn what_is_authentic_is_the_peer() {
        let (mut remote, now) = (learning(), Instant::now());
        let (first, moved) = (address("198.51.100.1:6000"), address("198.51.100.1:7000"));
        let authentic = |sequence| Sign {
            authentic: true,
            ..sign(7, sequence)
        };
        assert!(remote.on_rtp(now, first, authentic(1)));
        assert!(remote.on_rtp(now, moved, authentic(2)));
        assert_eq!(remote.rtp_target(), Some(moved));
    }

    #[test]
    fn a_described_address_is_sent_to_wherever_media_comes_from() {
        let mut remote = Remote::default();
        let (described, from) = (address("127.0.0.1:5004"), address("127.0.0.1:40000"));
        remote.describe(Described {
            rtp: Some(described),
            rtcp: Some(address("127.0.0.1:5005")),
            ..Described::default()
        });
        let (begin, second) = (Instant::now(), Duration::from_secs(1));
        assert!(remote.on_rtp(begin, from, sign(1, 1)));
        assert_eq!(remote.rtp_target(), Some(described));
        assert!(!remote.on_rtp(begin + second, address("203.0.113.9:1"), sign(2, 1)));
        assert!(remote.on_rtp(begin + second, described, sign(2, 1)));
        assert!(
            remote.on_rtp(begin + 4 * second, from, sign(3, 1)),
            "it begins anew"
        );
        assert!(remote.on_rtcp(address("127.0.0.1:40001"), false, true));
        assert!(!remote.on_rtcp(address("203.0.113.9:1"), false, true));
        assert_eq!(remote.rtcp_target(false), Some(address("127.0.0.1:5005")));
        assert_eq!(remote.rtcp_target(true), Some(described));
    }

    #[test]
    fn reports_have_an_address_of_their_own_and_teach_none_on_the_other_port() {
        let mut remote = Remote::default();
        remote.describe(Described {
            learns: true,
            ..Described::default()
        });
        assert_eq!(remote.rtcp_target(false), None);
        assert!(remote.on_rtcp(address("198.51.100.1:1"), false, false));
        assert_eq!(
            (remote.rtp_target(), remote.rtcp_target(false)),
            (None, None)
        );
        let (media, reports) = (address("198.51.100.1:6000"), address("198.51.100.1:6001"));
        assert!(remote.on_rtp(Instant::now(), media, sign(7, 1)));
        assert!(remote.on_rtcp(reports, false, true));
        assert_eq!(remote.rtcp_target(false), Some(reports));
        assert!(!remote.on_rtcp(address("203.0.113.9:1"), false, true));
        assert_eq!(remote.rtcp_target(false), Some(reports));
    }

    #[test]
    fn a_hold_stops_what_is_sent_and_forgets_nothing() {
        let (mut remote, now) = (learning(), Instant::now());
        let first = address("198.51.100.1:6000");
        remote.on_rtp(now, first, sign(7, 1));
        let before = remote.described;
        remote.describe(Described {
            rtp: None,
            rtcp: None,
            held: true,
            ..before
        });
        assert_eq!(
            (remote.rtp_target(), remote.rtcp_target(false)),
            (None, None)
        );
        assert!(remote.on_rtp(now, first, sign(7, 2)), "it may still send");
        remote.describe(before);
        assert_eq!(remote.rtp_target(), Some(first));
        let elsewhere = Some(address("10.0.0.5:9000"));
        remote.describe(Described {
            rtp: elsewhere,
            ..before
        });
        assert_eq!(remote.rtp_target(), elsewhere, "another phone");
    }
}
