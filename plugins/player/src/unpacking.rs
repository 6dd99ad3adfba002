//! Bodies that a server has packed without being asked to (`Content-Encoding`, RFC 9110 §8.4).

use std::io::{self, Write};

use bytes::Bytes;
use flate2::write::{MultiGzDecoder, ZlibDecoder};

/// So much is unpacked at once: a kilobyte becomes a megabyte at most.
const PIECE: usize = 1 << 10;

/// Unpacks what comes, piece by piece.
pub(crate) struct Unpacking {
    decoder: Decoder,
    /// What waits to be unpacked.
    packed: Bytes,
}

enum Decoder {
    Gzip(MultiGzDecoder<Vec<u8>>),
    Deflate(ZlibDecoder<Vec<u8>>),
}

impl Unpacking {
    /// For a `Content-Encoding`; `None` where nothing is packed, or by means that nobody was told that they are known.
    pub(crate) fn of(encoding: &str) -> Option<Self> {
        let decoder = match encoding.trim().to_ascii_lowercase().as_str() {
            "gzip" | "x-gzip" => Decoder::Gzip(MultiGzDecoder::new(Vec::new())),
            "deflate" => Decoder::Deflate(ZlibDecoder::new(Vec::new())),
            _ => return None,
        };
        Some(Self {
            decoder,
            packed: Bytes::new(),
        })
    }

    /// Takes what came next, once nothing waits any more.
    pub(crate) fn push(&mut self, bytes: Bytes) {
        self.packed = bytes;
    }

    /// What is unpacked next; `None` when more has to come.
    ///
    /// # Errors
    /// What came is not packed in that way
    pub(crate) fn next(&mut self) -> io::Result<Option<Bytes>> {
        while !self.packed.is_empty() {
            let length = self.packed.len().min(PIECE);
            let piece = self.packed.split_to(length);
            let unpacked = match &mut self.decoder {
                Decoder::Gzip(decoder) => {
                    decoder.write_all(&piece)?;
                    // It keeps what it has unpacked.
                    decoder.flush()?;
                    std::mem::take(decoder.get_mut())
                }
                Decoder::Deflate(decoder) => {
                    decoder.write_all(&piece)?;
                    // It keeps what it has unpacked.
                    decoder.flush()?;
                    std::mem::take(decoder.get_mut())
                }
            };
            if !unpacked.is_empty() {
                return Ok(Some(unpacked.into()));
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use flate2::{
        Compression,
        write::{GzEncoder, ZlibEncoder},
    };

    use super::*;

    fn unpacked(encoding: &str, packed: &[u8], size: usize) -> io::Result<Vec<u8>> {
        let mut unpacking = Unpacking::of(encoding).unwrap();
        let mut out = Vec::new();
        for piece in packed.chunks(size) {
            unpacking.push(Bytes::copy_from_slice(piece));
            while let Some(bytes) = unpacking.next()? {
                assert!(bytes.len() <= 2 << 20);
                out.extend(bytes);
            }
        }
        Ok(out)
    }

    #[test]
    fn what_was_packed_comes_out_whatever_the_pieces_are() {
        let plain: Vec<u8> = (0..100_000u32)
            .map(|number| (number / 7 % 251) as u8)
            .collect();
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        let mut zlib = ZlibEncoder::new(Vec::new(), Compression::fast());
        gzip.write_all(&plain).unwrap();
        zlib.write_all(&plain).unwrap();
        let (gzip, zlib) = (gzip.finish().unwrap(), zlib.finish().unwrap());
        for size in [1, 1000, 1 << 20] {
            assert_eq!(unpacked("gzip", &gzip, size).unwrap(), plain);
            assert_eq!(unpacked("Deflate", &zlib, size).unwrap(), plain);
        }
        assert!(unpacked("gzip", &zlib, 100).is_err());
        assert!(Unpacking::of("identity").is_none());
    }

    #[test]
    fn a_bomb_comes_in_pieces() {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
        for _ in 0..8 {
            gzip.write_all(&[0; 1 << 20]).unwrap();
        }
        let packed = gzip.finish().unwrap();
        assert_eq!(
            unpacked("gzip", &packed, packed.len()).unwrap().len(),
            8 << 20
        );
    }
}
