//! Chunks that an RTMP server sends, in pieces of the length that the first byte says.

use crate::rtmp_module::chunk_reader::ChunkReader;

const LONGEST: usize = 64 << 10;

pub(crate) fn run(input: &[u8]) {
    let Some((piece, chunks)) = input.split_first() else {
        return;
    };
    let mut reader = ChunkReader::new(LONGEST);
    for piece in chunks.chunks(usize::from(*piece).max(1)) {
        reader.push(piece);
        loop {
            match reader.next() {
                Ok(Some(message)) => assert!(message.body.len() <= LONGEST),
                Ok(None) => break,
                Err(_) => return,
            }
        }
    }
}
