//! The streams that a track receives, and which encoding each of them is.

use std::{collections::VecDeque, time::Instant};

use rivero_rtp::{ExtensionMap, RtpHeader};

use super::{encodings::StreamDescription, stream::Stream};

/// Streams of one track: three encodings, each of which may have begun anew once or twice. More than these
/// at a time are not received, since a peer chooses their number; one that is silent makes room.
const MAX_STREAMS: usize = 8;
/// Streams that have ended of which it is known what they were.
const MAX_FORMER: usize = 16;

/// What a stream was that has ended. Senders name the encoding of a stream (RFC 8852 §3) only
/// until a report shows that they were understood. One that says good-bye, because it pauses an
/// encoding say, and goes on later with the same SSRC, does not name it again.
#[derive(Debug, Clone, Copy)]
struct Former {
    ssrc: u32,
    encoding: u8,
    rtx_ssrc: Option<u32>,
}

#[derive(Default)]
pub(super) struct Streams {
    present: Vec<Stream>,
    /// The latest ones last.
    former: VecDeque<Former>,
    /// The next stream that begins needs a keyframe.
    wants_keyframe: bool,
}

impl Streams {
    /// In the order in which they began.
    pub(super) fn iter(&self) -> std::slice::Iter<'_, Stream> {
        self.present.iter()
    }

    pub(super) fn iter_mut(&mut self) -> std::slice::IterMut<'_, Stream> {
        self.present.iter_mut()
    }

    /// The stream of a packet, which may begin with it. `None` where it is not known which
    /// encoding it is.
    #[inline]
    pub(super) fn of_packet(
        &mut self,
        now: Instant,
        described: &StreamDescription,
        extensions: &ExtensionMap,
        header: &RtpHeader,
        packet: &[u8],
        clock_rate: u32,
    ) -> Option<&mut Stream> {
        let of_source = |stream: &Stream| stream.ssrc == header.ssrc;
        let position = match self.present.iter().position(of_source) {
            Some(position) => position,
            None => {
                let named = described.encoding_of(extensions, header, packet);
                self.begin(now, header.ssrc, named, clock_rate)?
            }
        };
        self.present.get_mut(position)
    }

    /// Adds a stream, of the encoding that its packet names or else of the one that it was before.
    fn begin(
        &mut self,
        now: Instant,
        ssrc: u32,
        named: Option<u8>,
        clock_rate: u32,
    ) -> Option<usize> {
        let position = self.former.iter().position(|former| former.ssrc == ssrc);
        let former = position.and_then(|position| self.former.get(position).copied());
        let encoding = named.or(former.map(|former| former.encoding))?;
        if self.present.len() >= MAX_STREAMS {
            let silent = self.longest_silent(now, encoding)?;
            self.on_goodbye(silent);
        }
        let mut stream = Stream::new(ssrc, encoding, clock_rate);
        stream.rtx_ssrc = former.and_then(|former| former.rtx_ssrc);
        if std::mem::take(&mut self.wants_keyframe) {
            // The packet that the stream begins with may turn out to be the keyframe, which ends this.
            stream.keyframe.keyframe_needed(now);
        }
        position.map(|position| self.former.remove(position));
        self.present.push(stream);
        Some(self.present.len() - 1)
    }

    /// A stream that may make room for one of `encoding`: senders need not say when one ends.
    fn longest_silent(&self, now: Instant, encoding: u8) -> Option<u32> {
        let silent = self.present.iter().filter(|s| !s.rate.is_active(now));
        // The earliest, where several are silent.
        let stream = silent.min_by_key(|stream| stream.encoding != encoding)?;
        Some(stream.ssrc)
    }

    /// The stream that a retransmission repeats a packet of.
    pub(super) fn repaired(
        &mut self,
        described: &StreamDescription,
        extensions: &ExtensionMap,
        header: &RtpHeader,
        packet: &[u8],
    ) -> Option<u32> {
        let rtx_ssrc = header.ssrc;
        let mut bound = self.present.iter();
        if let Some(stream) = bound.find(|stream| stream.rtx_ssrc == Some(rtx_ssrc)) {
            return Some(stream.ssrc);
        }
        let described_ssrc = described.repaired_ssrc(rtx_ssrc);
        let encoding = described.repaired_encoding(extensions, header, packet);
        let is_alone = self.present.len() == 1;
        let is_repaired = |stream: &&mut Stream| match (described_ssrc, encoding) {
            (Some(ssrc), _) => stream.ssrc == ssrc,
            (None, Some(encoding)) => stream.encoding == encoding,
            (None, None) => is_alone,
        };
        let stream = self.present.iter_mut().find(is_repaired)?;
        stream.rtx_ssrc = Some(rtx_ssrc);
        Some(stream.ssrc)
    }

    /// Whether a stream is being received, or is what repairs one.
    #[inline]
    pub(super) fn knows(&self, ssrc: u32) -> bool {
        let is_known = |stream: &Stream| stream.ssrc == ssrc || stream.rtx_ssrc == Some(ssrc);
        self.present.iter().any(is_known)
    }

    /// A keyframe is needed of what is being sent, or else of what comes first. With one encoding
    /// the latest stream is what is sent.
    pub(super) fn keyframe_requested(&mut self, now: Instant, is_single: bool) {
        self.wants_keyframe = self.present.is_empty();
        let latest = self.present.last().map(|stream| stream.ssrc);
        for stream in &mut self.present {
            let is_sent = if is_single {
                Some(stream.ssrc) == latest
            } else {
                stream.rate.is_active(now)
            };
            if is_sent {
                stream.keyframe.keyframe_needed(now);
            }
        }
    }

    /// A frame of one encoding of several ended; `true` when it has left another one behind, which its
    /// sender has turned off.
    pub(super) fn on_frame_end(&mut self, now: Instant, ssrc: u32) -> bool {
        let mut any = false;
        for stream in self.present.iter_mut().filter(|stream| stream.ssrc != ssrc) {
            any |= stream.rate.on_other_frame(now);
        }
        any
    }

    /// When the peer is to be asked for a packet or for a keyframe.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let timers = |stream: &Stream| [stream.nack.poll_timeout(), stream.keyframe.poll_timeout()];
        self.present.iter().flat_map(timers).flatten().min()
    }

    /// A stream has ended; `true` when it was one of these.
    pub(super) fn on_goodbye(&mut self, ssrc: u32) -> bool {
        let of_source = |stream: &Stream| stream.ssrc == ssrc;
        let Some(position) = self.present.iter().position(of_source) else {
            return false;
        };
        let stream = self.present.remove(position);
        if self.former.len() >= MAX_FORMER {
            self.former.pop_front();
        }
        self.former.push_back(Former {
            ssrc,
            encoding: stream.encoding,
            rtx_ssrc: stream.rtx_ssrc,
        });
        true
    }

    /// Goes on as a later description has it: encodings may have other numbers, or be no more.
    /// `named` are the streams that it names, if it does; others have ended.
    pub(super) fn renegotiate(
        &mut self,
        before: &StreamDescription,
        now: &StreamDescription,
        named: &[u32],
    ) {
        let renumber = |ssrc: u32, encoding: &mut u8| {
            let number = now.renumbered(before, ssrc, *encoding);
            *encoding = number.unwrap_or(*encoding);
            number.is_some() && (named.is_empty() || named.contains(&ssrc))
        };
        self.present
            .retain_mut(|stream| renumber(stream.ssrc, &mut stream.encoding));
        self.former
            .retain_mut(|former| renumber(former.ssrc, &mut former.encoding));
    }
}

#[cfg(test)]
mod tests {
    use rivero_rtp::HeaderExtension;

    use super::*;
    use crate::receiver::{Encodings, rate::StreamRate};

    const RID: u8 = 4;
    const REPAIRED_RID: u8 = 5;

    fn extensions() -> ExtensionMap {
        let mut map = ExtensionMap::default();
        map.insert(RID, HeaderExtension::RtpStreamId);
        map.insert(REPAIRED_RID, HeaderExtension::RepairedRtpStreamId);
        map
    }

    fn rids(names: &[&str]) -> StreamDescription {
        StreamDescription {
            encodings: Encodings::Rids(names.iter().map(|name| (*name).to_owned()).collect()),
            repairs: Vec::new(),
        }
    }

    /// A packet with a name of one letter in the extension `id`.
    fn packet(ssrc: u32, name: Option<(u8, &str)>) -> Vec<u8> {
        let mut packet = vec![0x80, 96, 0, 1, 0, 0, 0, 0];
        packet.extend_from_slice(&ssrc.to_be_bytes());
        if let Some((id, name)) = name {
            packet[0] |= 0x10;
            packet.extend_from_slice(&[0xbe, 0xde, 0, 1, id << 4, name.as_bytes()[0], 0, 0]);
        }
        packet
    }

    /// The encoding that a packet is taken for.
    fn encoding(
        streams: &mut Streams,
        described: &StreamDescription,
        ssrc: u32,
        name: Option<&str>,
    ) -> Option<u8> {
        let packet = packet(ssrc, name.map(|name| (RID, name)));
        let header = RtpHeader::parse(&packet).unwrap();
        let (now, map) = (Instant::now(), extensions());
        let stream = streams.of_packet(now, described, &map, &header, &packet, 90_000);
        stream.map(|stream| stream.encoding)
    }

    fn repaired(
        streams: &mut Streams,
        described: &StreamDescription,
        ssrc: u32,
        name: Option<&str>,
    ) -> Option<u32> {
        let packet = packet(ssrc, name.map(|name| (REPAIRED_RID, name)));
        let header = RtpHeader::parse(&packet).unwrap();
        streams.repaired(described, &extensions(), &header, &packet)
    }

    #[test]
    fn a_stream_that_comes_back_is_the_encoding_that_it_was() {
        let (mut streams, described) = (Streams::default(), rids(&["l", "h"]));
        assert_eq!(encoding(&mut streams, &described, 7, None), None);
        assert_eq!(encoding(&mut streams, &described, 7, Some("h")), Some(1));
        assert_eq!(encoding(&mut streams, &described, 6, Some("l")), Some(0));
        assert_eq!(repaired(&mut streams, &described, 70, Some("h")), Some(7));
        let forwarded = streams.iter().next().unwrap().forwarded_ssrc;

        assert!(streams.on_goodbye(7) && !streams.on_goodbye(7));
        assert!(!streams.knows(7) && !streams.knows(70) && streams.knows(6));
        assert_eq!(encoding(&mut streams, &described, 7, None), Some(1));
        assert_eq!(repaired(&mut streams, &described, 70, None), Some(7));
        assert_ne!(streams.iter().last().unwrap().forwarded_ssrc, forwarded);
        assert!(
            streams.on_goodbye(7) && streams.former.len() == 1,
            "once more, and once only"
        );
    }

    #[test]
    fn what_a_packet_names_counts_for_more_than_what_was() {
        let (mut streams, described) = (Streams::default(), rids(&["l", "h"]));
        assert_eq!(encoding(&mut streams, &described, 7, Some("h")), Some(1));
        assert!(streams.on_goodbye(7));
        assert_eq!(encoding(&mut streams, &described, 7, Some("l")), Some(0));
    }

    #[test]
    fn streams_that_have_ended_take_no_places() {
        let (mut streams, described) = (Streams::default(), rids(&["l", "h"]));
        for ssrc in 0..100 {
            assert_eq!(encoding(&mut streams, &described, ssrc, Some("l")), Some(0));
            assert!(streams.on_goodbye(ssrc));
        }
        assert_eq!(streams.former.len(), MAX_FORMER);
        assert_eq!(encoding(&mut streams, &described, 99, None), Some(0));
        assert_eq!(encoding(&mut streams, &described, 0, None), None);
    }

    #[test]
    fn streams_that_ended_without_a_word_make_room() {
        let (mut streams, described) = (Streams::default(), rids(&["l", "h"]));
        let is_taken = |streams: &mut Streams, ssrc: u32, name: &str| {
            let taken = encoding(streams, &described, ssrc, Some(name)).is_some();
            if let Some(stream) = streams.present.iter_mut().find(|s| s.ssrc == ssrc) {
                stream.rate.on_packet(Instant::now(), 1000, true, false);
            }
            taken
        };
        let fill = |streams: &mut Streams| {
            (0..8).all(|ssrc| is_taken(streams, ssrc, if ssrc < 3 { "h" } else { "l" }))
        };
        assert!(fill(&mut streams));
        assert!(!is_taken(&mut streams, 8, "l"), "all are being sent");
        for stream in &mut streams.present {
            stream.rate = StreamRate::default();
        }
        assert!(is_taken(&mut streams, 8, "l") && !streams.knows(3));
        assert!(is_taken(&mut streams, 9, "h") && !streams.knows(0));
        assert_eq!(streams.present.len(), MAX_STREAMS);
        assert!((10..16).all(|ssrc| is_taken(&mut streams, ssrc, "h")));
        assert!(!is_taken(&mut streams, 16, "h"), "all are being sent");
    }

    #[test]
    fn encodings_are_followed_by_name() {
        let (mut streams, before) = (Streams::default(), rids(&["l", "m", "h"]));
        for (ssrc, name) in [(5, "l"), (6, "m"), (7, "h")] {
            assert!(encoding(&mut streams, &before, ssrc, Some(name)).is_some());
        }
        assert!(streams.on_goodbye(7));
        let now = rids(&["h", "l"]);
        streams.renegotiate(&before, &now, &[]);
        assert_eq!(encoding(&mut streams, &now, 5, None), Some(1));
        assert_eq!(encoding(&mut streams, &now, 6, None), None, "no more");
        assert_eq!(encoding(&mut streams, &now, 7, None), Some(0));
        streams.renegotiate(&now, &now, &[5]);
        assert!(streams.on_goodbye(7) || streams.knows(5));
        assert_eq!(encoding(&mut streams, &now, 7, None), None, "not named");
    }

    #[test]
    fn a_keyframe_that_was_wanted_before_is_asked_for_at_once() {
        let (mut streams, described) = (Streams::default(), rids(&["l", "h"]));
        let now = Instant::now();
        streams.keyframe_requested(now, false);
        assert_eq!(streams.poll_timeout(), None, "of whom?");
        assert_eq!(encoding(&mut streams, &described, 6, Some("l")), Some(0));
        assert!(streams.poll_timeout().is_some_and(|due| due >= now));
        let later = Instant::now();
        let stream = streams.present.first_mut().unwrap();
        assert!(stream.keyframe.poll(later).is_some(), "it is due");
        stream.keyframe.on_keyframe(0);
        assert_eq!(encoding(&mut streams, &described, 7, Some("h")), Some(1));
        assert_eq!(streams.poll_timeout(), None, "wanted once");
    }

    #[test]
    fn a_stream_that_begins_with_a_keyframe_is_not_asked_for_one() {
        let (mut streams, described) = (Streams::default(), StreamDescription::default());
        streams.keyframe_requested(Instant::now(), true);
        assert_eq!(encoding(&mut streams, &described, 6, None), Some(0));
        let stream = streams.present.first_mut().unwrap();
        stream.keyframe.on_keyframe(0);
        assert_eq!(streams.poll_timeout(), None);
        streams.keyframe_requested(Instant::now(), true);
        assert!(streams.poll_timeout().is_some());
    }
}
