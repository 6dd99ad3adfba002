//! JPEG pictures one after the other, as cameras send them (`multipart/x-mixed-replace`).
//!
//! What stands between the pictures, boundaries and heads of parts, is as different as cameras are, and the end of a
//! picture often is not told before the next one begins. So a picture is what its own markers say (ITU-T T.81 annex B).

use std::io;

use bytes::{Buf, Bytes, BytesMut};

/// A picture has not more bytes than this.
const LARGEST: usize = 32 << 20;
/// Between two pictures there are not more bytes than this.
const MOST_BETWEEN: usize = 1 << 20;

/// Takes pictures out of what comes.
#[derive(Debug, Default)]
pub(crate) struct Pictures {
    bytes: BytesMut,
    /// Of the picture at the beginning of `bytes`, so many are understood; 0 outside of one.
    read: usize,
    /// Within what is coded behind a start of scan.
    is_in_scan: bool,
    /// Bytes that were none of a picture since the last one.
    between: usize,
}

impl Pictures {
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The next picture, if it is complete.
    ///
    /// # Errors
    /// There are no pictures in what comes
    pub(crate) fn next(&mut self) -> io::Result<Option<Bytes>> {
        loop {
            if self.read == 0 && !self.find_beginning() {
                return if self.between > MOST_BETWEEN {
                    Err(invalid(
                        "there are no JPEG pictures in what the server sends",
                    ))
                } else {
                    Ok(None)
                };
            }
            match self.next_segment() {
                Segment::Unfinished if self.bytes.len() > LARGEST => {
                    return Err(invalid("a JPEG picture is larger than is accepted"));
                }
                Segment::Unfinished => return Ok(None),
                Segment::Next => {}
                Segment::End => {
                    let picture = self.bytes.split_to(self.read).freeze();
                    self.begin_anew();
                    return Ok(Some(picture));
                }
                Segment::None => {
                    // Damaged: another one may begin behind its first byte.
                    self.bytes.advance(1);
                    self.begin_anew();
                }
            }
        }
    }

    fn begin_anew(&mut self) {
        (self.read, self.is_in_scan, self.between) = (0, false, 0);
    }

    /// Goes to the next start of image, which a marker follows.
    fn find_beginning(&mut self) -> bool {
        let found = self
            .bytes
            .windows(3)
            .position(|three| three == [0xff, 0xd8, 0xff]);
        let passed = found.unwrap_or(self.bytes.len().saturating_sub(2));
        self.bytes.advance(passed);
        self.between += passed;
        if found.is_some() {
            self.read = 2;
        }
        found.is_some()
    }

    /// Goes behind the next marker and what belongs to it.
    fn next_segment(&mut self) -> Segment {
        let rest = self.bytes.get(self.read..).unwrap_or_default();
        if self.is_in_scan {
            // A byte 0xff of the picture itself has a zero behind it; restart markers belong to the scan, too.
            let ends = |two: &[u8]| matches!(two, [0xff, marker] if !matches!(marker, 0 | 0xd0..=0xd7 | 0xff));
            return match rest.windows(2).position(ends) {
                Some(at) => {
                    self.read += at;
                    self.is_in_scan = false;
                    Segment::Next
                }
                None => {
                    self.read += rest.len().saturating_sub(1);
                    Segment::Unfinished
                }
            };
        }
        match rest {
            // Fill bytes.
            [0xff, 0xff, ..] => self.go_on(1),
            [0xff, 0xd9, ..] => {
                self.read += 2;
                Segment::End
            }
            [0xff, 0x01 | 0xd0..=0xd8, ..] => self.go_on(2),
            [0xff, marker, high, low, ..] => {
                let length = usize::from(u16::from_be_bytes([*high, *low]));
                if length < 2 {
                    return Segment::None;
                }
                if rest.len() < 2 + length {
                    return Segment::Unfinished;
                }
                self.is_in_scan = *marker == 0xda;
                self.go_on(2 + length)
            }
            [] | [0xff] | [0xff, _] | [0xff, _, _] => Segment::Unfinished,
            _ => Segment::None,
        }
    }

    fn go_on(&mut self, length: usize) -> Segment {
        self.read += length;
        Segment::Next
    }
}

/// What stands at the place that is read.
enum Segment {
    /// One that is complete.
    Next,
    /// One that is not.
    Unfinished,
    /// The end of the picture.
    End,
    /// None of a picture.
    None,
}

fn invalid(text: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A picture with a preview inside, bytes that look like markers, restarts and a second scan.
    fn picture(number: u8) -> Vec<u8> {
        let preview = [0xff, 0xd8, 0xff, 0xda, 0, 2, 1, 0xff, 0xd9];
        let mut bytes = vec![0xff, 0xd8, 0xff, 0xe1, 0, 2 + preview.len() as u8];
        bytes.extend(preview);
        bytes.extend([0xff, 0xff, 0xda, 0, 3, number, 1, 0xff, 0, 2, 0xff, 0xd0, 3]);
        bytes.extend([0xff, 0xc4, 0, 2, 0xff, 0xda, 0, 2, 9, 0xff, 0xd9]);
        bytes
    }

    /// The pictures in what comes in pieces of this size.
    fn pictures(stream: &[u8], size: usize) -> io::Result<Vec<Bytes>> {
        let (mut reader, mut found) = (Pictures::default(), Vec::new());
        for piece in stream.chunks(size) {
            reader.push(piece);
            while let Some(picture) = reader.next()? {
                found.push(picture);
            }
        }
        Ok(found)
    }

    #[test]
    fn pictures_are_found_whatever_is_between_them_and_are_given_out_at_once() {
        for between in [
            "--x\r\nContent-Type: image/jpeg\r\nContent-Length: 7\r\n\r\n",
            "\r\n----x\nContent-type: image/jpeg\n\n",
            "",
        ] {
            let mut stream = Vec::new();
            for number in 0..3 {
                stream.extend(between.bytes());
                stream.extend(picture(number));
            }
            for size in 1..=stream.len() {
                let found = pictures(&stream, size).unwrap();
                assert_eq!(found, [picture(0), picture(1), picture(2)], "{size}");
            }
        }
    }

    #[test]
    fn damaged_pictures_are_left_out() {
        let damaged = [0xff, 0xd8, 0xff, 0xe0, 0, 1, 7];
        let stream = [
            &damaged[..],
            &picture(1),
            &[0xff, 0xd8, 0xff, 0xe0, 0, 2, 5],
            &picture(2),
        ]
        .concat();
        assert_eq!(pictures(&stream, 5).unwrap(), [picture(1), picture(2)]);
    }

    #[test]
    fn what_has_no_pictures_is_given_up() {
        assert!(pictures(&vec![b'a'; 2 << 20], 4096).is_err());
        let endless = [&[0xff, 0xd8, 0xff, 0xda, 0, 2][..], &vec![1; LARGEST]].concat();
        assert!(pictures(&endless, 1 << 20).is_err());
    }
}
