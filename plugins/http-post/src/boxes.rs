//! Whether an upload plays as it comes.
//!
//! A file of the ISO base media format (ISO/IEC 14496-12: MP4, MOV, 3GP) needs
//! its `moov` box first. Cameras write it behind the media, so such a file can
//! only play when it has come completely.

/// What the beginning of the media says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// It plays from its first byte on.
    Streams,
    /// The index is at its end.
    IndexLast,
}

/// Boxes that may come before `moov` and `mdat`.
const BEFORE: [&[u8; 4]; 9] = [
    b"ftyp", b"styp", b"free", b"skip", b"wide", b"pnot", b"uuid", b"pdin", b"udta",
];
/// Boxes in front are no larger than this.
const LARGEST: u64 = 8 << 20;

/// Reads the headers of the boxes at the beginning.
#[derive(Debug, Default)]
pub(crate) struct Boxes {
    /// Of a box header that has not come completely.
    header: Vec<u8>,
    /// Bytes of the current box that are still to come.
    skip: u64,
    /// Bytes read.
    read: u64,
}

impl Boxes {
    /// The next bytes; `None`: more have to come.
    pub(crate) fn read(&mut self, mut bytes: &[u8]) -> Option<Order> {
        while !bytes.is_empty() {
            let skipped = bytes
                .len()
                .min(usize::try_from(self.skip).unwrap_or(usize::MAX));
            bytes = bytes.get(skipped..)?;
            self.skip -= skipped as u64;
            self.read += skipped as u64;
            if self.read > LARGEST {
                return Some(Order::Streams);
            }
            let Some((byte, rest)) = bytes.split_first() else {
                break;
            };
            self.header.push(*byte);
            bytes = rest;
            if let Some(order) = self.header() {
                return Some(order);
            }
        }
        None
    }

    /// Looks at a header that may be complete.
    fn header(&mut self) -> Option<Order> {
        let (length, rest) = self.header.split_first_chunk::<4>()?;
        let (name, large) = rest.split_first_chunk::<4>()?;
        let length = u64::from(u32::from_be_bytes(*length));
        match name {
            // To the end of the file: nothing comes behind it.
            b"mdat" if length == 0 => return Some(Order::Streams),
            b"mdat" => return Some(Order::IndexLast),
            name if !BEFORE.contains(&name) => return Some(Order::Streams),
            _ => {}
        }
        let (length, header) = match length {
            1 => (u64::from_be_bytes(*large.first_chunk()?), 16),
            length => (length, 8),
        };
        match length.checked_sub(header) {
            Some(rest) => self.skip = rest,
            None => return Some(Order::Streams),
        }
        self.read += header;
        self.header.clear();
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn make(name: &[u8; 4], content: usize) -> Vec<u8> {
        let mut made = u32::try_from(content + 8).unwrap().to_be_bytes().to_vec();
        made.extend(name);
        made.extend(std::iter::repeat_n(0x55, content));
        made
    }

    fn order(file: &[u8], piece: usize) -> Option<Order> {
        let mut boxes = Boxes::default();
        file.chunks(piece).find_map(|bytes| boxes.read(bytes))
    }

    #[test]
    fn an_index_in_front_streams_and_one_behind_does_not() {
        let front = [make(b"ftyp", 24), make(b"free", 0), make(b"moov", 900)].concat();
        let behind = [make(b"ftyp", 24), make(b"wide", 0), make(b"mdat", 900)].concat();
        let fragment = [make(b"styp", 16), make(b"moof", 60)].concat();
        for piece in [1, 7, 10_000] {
            assert_eq!(order(&front, piece), Some(Order::Streams));
            assert_eq!(order(&behind, piece), Some(Order::IndexLast));
            assert_eq!(order(&fragment, piece), Some(Order::Streams));
        }
    }

    #[test]
    fn a_large_header_is_read() {
        let mut file = make(b"ftyp", 24);
        file.extend(1u32.to_be_bytes());
        file.extend(b"free");
        file.extend(20u64.to_be_bytes());
        file.extend([0; 4]);
        file.extend(make(b"mdat", 10));
        assert_eq!(order(&file, 3), Some(Order::IndexLast));
    }

    #[test]
    fn other_media_streams_at_once() {
        assert_eq!(
            order(b"\x1a\x45\xdf\xa3\x9f\x42\x86\x81\x01", 100),
            Some(Order::Streams)
        );
        assert_eq!(order(b"RIFF....AVI LIST", 100), Some(Order::Streams));
    }

    #[test]
    fn nonsense_is_left_to_the_decoder() {
        assert_eq!(
            order(
                &[&make(b"ftyp", 24)[..], &[0, 0, 0, 3], b"free"].concat(),
                5
            ),
            Some(Order::Streams)
        );
        let mut endless = Vec::from(u32::MAX.to_be_bytes());
        endless.extend(b"free");
        endless.resize(9 << 20, 0);
        assert_eq!(order(&endless, 4096), Some(Order::Streams));
        assert_eq!(order(&make(b"ftyp", 24), 100), None);
    }
}
