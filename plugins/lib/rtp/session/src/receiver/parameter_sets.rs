//! The parameter sets of a received stream (ITU-T H.264 and H.265), for pictures that come without.
//!
//! Some senders put them before their first keyframe only, or before some; others have them in their
//! description alone (`sprop-parameter-sets`, RFC 6184 §8.1). Who joins later could not decode a thing. So
//! they are kept, and sent before each picture that decoders begin with and that does not bring them.

use rivero_rtp::codec::{
    VideoCodec,
    nal::{self, SetId},
};

/// Bytes of a set that is kept. Real ones have some dozens; what does not fit into a packet beside a
/// header could not be sent on as one. Longer ones are known of: decoders begin with pictures that bring them.
const LONGEST: usize = 1000;
/// Sets of a stream that are kept: a sender chooses how many it sends.
const MOST: usize = 16;

#[derive(Debug)]
struct Set {
    id: SetId,
    /// Empty for one that is too long to be kept.
    unit: Box<[u8]>,
    /// RTP timestamp of the latest picture that it came with, or was sent before.
    timestamp: Option<u32>,
}

/// What a packet means for where decoders can begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Beginning {
    /// Nothing: its own units say it.
    Plain,
    /// A picture begins for which sets are known that did not come with it.
    WithoutSets,
    /// A picture begins that nobody can decode: sets have not come yet.
    Undecodable,
}

/// A set that comes in several packets (RFC 6184 §5.8, RFC 7798 §4.4.3).
#[derive(Debug)]
struct Pieces {
    unit: Vec<u8>,
    /// The sequence number that its next packet has.
    next: u16,
}

/// The sets of one stream.
#[derive(Debug, Default)]
pub(super) struct ParameterSets {
    /// In the order in which they go.
    sets: Vec<Set>,
    pieces: Option<Pieces>,
}

impl ParameterSets {
    /// Takes a packet of the picture with this sequence number and RTP timestamp. `given`: sets of the
    /// description, for a stream that has brought none.
    #[inline]
    pub(super) fn on_packet(
        &mut self,
        codec: VideoCodec,
        (sequence, timestamp): (u16, u32),
        payload: &[u8],
        given: &[Box<[u8]>],
    ) -> Beginning {
        if !matches!(codec, VideoCodec::H264 | VideoCodec::H265) {
            return Beginning::Plain;
        }
        for unit in nal::whole_units(codec, payload) {
            self.keep(codec, unit, Some(timestamp));
        }
        if let Some(unit) = self.on_fragment(codec, sequence, payload) {
            self.keep(codec, &unit, Some(timestamp));
        }
        if !nal::begins_random_access(codec, payload) {
            return Beginning::Plain;
        }
        if !self.is_complete(codec) {
            for unit in given {
                self.keep(codec, unit, None);
            }
        }
        let is_missing = |set: &&Set| set.timestamp != Some(timestamp);
        let mut missing = self.sets.iter().filter(is_missing).peekable();
        if !self.is_complete(codec) {
            Beginning::Undecodable
        } else if missing.peek().is_none() {
            Beginning::Plain
        } else if missing.any(|set| set.unit.is_empty()) {
            Beginning::Undecodable
        } else {
            Beginning::WithoutSets
        }
    }

    /// The set that ends with this packet.
    fn on_fragment(&mut self, codec: VideoCodec, sequence: u16, payload: &[u8]) -> Option<Vec<u8>> {
        let fragment = nal::fragment(codec, payload)?;
        if !nal::set_kinds(codec).contains(&fragment.kind) {
            return None;
        }
        let next = sequence.wrapping_add(1);
        if fragment.begins {
            let unit = fragment.header().to_vec();
            self.pieces = Some(Pieces {
                unit,
                next: sequence,
            });
        }
        // One that is lost, or late, leaves a set that cannot be put together.
        let pieces = self
            .pieces
            .as_mut()
            .filter(|pieces| pieces.next == sequence)?;
        pieces.next = next;
        // As many bytes as it takes to see that it is too long.
        let room = (LONGEST + 1).saturating_sub(pieces.unit.len());
        let content = fragment.content;
        pieces
            .unit
            .extend_from_slice(content.get(..room).unwrap_or(content));
        match fragment.ends {
            true => Some(self.pieces.take()?.unit),
            false => None,
        }
    }

    fn is_complete(&self, codec: VideoCodec) -> bool {
        // Those of sequences and of pictures. What else there is (video parameter sets) some senders
        // leave out, and most decoders do without.
        let mut needed = nal::set_kinds(codec).iter().rev().take(2);
        needed.all(|kind| self.sets.iter().any(|set| set.id.kind == *kind))
    }

    fn keep(&mut self, codec: VideoCodec, unit: &[u8], timestamp: Option<u32>) {
        let Some(id) = nal::set_id(codec, unit) else {
            return;
        };
        // Of one that is too long nothing is kept but that it came.
        let content = if unit.len() <= LONGEST { unit } else { &[] };
        match self.sets.binary_search_by_key(&id, |set| set.id) {
            // What the stream itself brings counts for more than its description.
            Ok(position) if timestamp.is_some() => {
                if let Some(set) = self.sets.get_mut(position) {
                    set.timestamp = timestamp;
                    if *set.unit != *content {
                        set.unit = content.into();
                    }
                }
            }
            Err(position) if self.sets.len() < MOST => {
                let unit = content.into();
                let set = Set {
                    id,
                    unit,
                    timestamp,
                };
                self.sets.insert(position, set);
            }
            _ => {}
        }
    }

    /// The sets that did not come with the picture of this timestamp. They count as sent before it.
    pub(super) fn take_missing(&mut self, timestamp: u32) -> impl Iterator<Item = &[u8]> {
        let kept = self.sets.iter_mut().filter(|set| !set.unit.is_empty());
        kept.filter_map(move |set| {
            let is_missing = set.timestamp.replace(timestamp) != Some(timestamp);
            is_missing.then_some(&*set.unit)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const H264: VideoCodec = VideoCodec::H264;
    const SPS: &[u8] = &[0x67, 0x42, 0xe0, 0x1f, 0x80];
    const PPS: &[u8] = &[0x68, 0xce];
    const IDR: &[u8] = &[0x65, 0x88];

    fn missing(sets: &mut ParameterSets, timestamp: u32) -> Vec<Vec<u8>> {
        sets.take_missing(timestamp).map(<[u8]>::to_vec).collect()
    }

    #[test]
    fn pictures_without_sets_get_those_that_came_before() {
        let mut sets = ParameterSets::default();
        let take = |sets: &mut ParameterSets, timestamp, payload: &[u8]| {
            sets.on_packet(H264, (0, timestamp), payload, &[])
        };
        assert_eq!(take(&mut sets, 1, IDR), Beginning::Undecodable);
        assert_eq!(take(&mut sets, 2, SPS), Beginning::Plain);
        assert_eq!(take(&mut sets, 2, IDR), Beginning::Undecodable);
        assert_eq!(take(&mut sets, 3, SPS), Beginning::Plain);
        assert_eq!(take(&mut sets, 3, PPS), Beginning::Plain);
        assert_eq!(take(&mut sets, 3, IDR), Beginning::Plain);
        assert_eq!(take(&mut sets, 4, &[0x41, 1]), Beginning::Plain);
        assert_eq!(take(&mut sets, 5, IDR), Beginning::WithoutSets);
        assert_eq!(missing(&mut sets, 5), [SPS, PPS]);
        assert_eq!(take(&mut sets, 5, IDR), Beginning::Plain, "its next slice");
        // With a sequence parameter set of its own, in one packet with it.
        let together = [&[0x78, 0, 5][..], SPS, &[0, 2], IDR].concat();
        assert_eq!(take(&mut sets, 6, &together), Beginning::WithoutSets);
        assert_eq!(missing(&mut sets, 6), [PPS]);
        let other = [&SPS[..4], &[0xc0]].concat();
        assert_eq!(take(&mut sets, 7, &other), Beginning::Plain);
        assert_eq!(take(&mut sets, 8, &[0x7c, 0x85, 1]), Beginning::WithoutSets);
        assert_eq!(missing(&mut sets, 8), [&other[..], PPS]);
    }

    #[test]
    fn a_description_helps_out() {
        let given: Vec<Box<[u8]>> = vec![PPS.into(), SPS.into(), [1, 2].into()];
        let mut sets = ParameterSets::default();
        let first = sets.on_packet(H264, (0, 1), IDR, &given);
        assert_eq!(first, Beginning::WithoutSets);
        assert_eq!(missing(&mut sets, 1), [SPS, PPS]);
    }

    #[test]
    fn what_is_kept_has_a_bound() {
        let mut sets = ParameterSets::default();
        for number in 0..=255u8 {
            let unit = [0x68, number, 0xff, 0xff, 0xff];
            sets.on_packet(H264, (0, 1), &unit, &[]);
        }
        let long = [PPS, &vec![1; LONGEST]].concat();
        sets.on_packet(H264, (0, 1), &long, &[]);
        assert!(sets.sets.len() <= MOST && sets.sets.iter().all(|set| set.unit.len() <= LONGEST));
        assert!(sets.sets.is_sorted_by_key(|set| set.id));
    }
    #[test]
    fn sets_in_pieces_are_put_together() {
        let mut sets = ParameterSets::default();
        let mut take = |sequence, timestamp, payload: &[u8]| {
            sets.on_packet(H264, (sequence, timestamp), payload, &[])
        };
        let (first, middle, last) = (
            [0x7c, 0x87, 0x42],
            [0x7c, 0x07, 0xe0],
            [0x7c, 0x47, 0x1f, 0x80],
        );
        take(65_534, 1, &first);
        take(65_535, 1, &last);
        take(0, 1, PPS);
        // The first of three packets and the last one are no set: profile and level only.
        assert_eq!(take(1, 1, IDR), Beginning::Undecodable);
        take(65_534, 2, &first);
        take(65_535, 2, &middle);
        take(0, 2, &last);
        take(1, 2, PPS);
        assert_eq!(take(2, 2, IDR), Beginning::Plain);
        assert_eq!(take(3, 3, IDR), Beginning::WithoutSets);
        assert_eq!(missing(&mut sets, 3), [SPS, PPS]);
    }

    #[test]
    fn a_set_that_is_too_long_counts_for_the_picture_that_brings_it() {
        let mut sets = ParameterSets::default();
        let long = [SPS, &vec![1; LONGEST]].concat();
        sets.on_packet(H264, (0, 1), &long, &[]);
        sets.on_packet(H264, (1, 1), PPS, &[]);
        let take =
            |sets: &mut ParameterSets, timestamp| sets.on_packet(H264, (2, timestamp), IDR, &[]);
        assert_eq!(take(&mut sets, 1), Beginning::Plain);
        assert_eq!(take(&mut sets, 2), Beginning::Undecodable);
        sets.on_packet(H264, (3, 3), PPS, &[]);
        assert_eq!(take(&mut sets, 3), Beginning::Undecodable);
    }
}
