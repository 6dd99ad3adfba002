//! Reading this process's own memory through the kernel, which says where there is none.

use std::{fs::File, io, ops::Range, os::unix::fs::FileExt};

/// Bytes of an address.
const WORD: usize = size_of::<usize>();
/// Bytes that are read at a time.
const CHUNK: usize = 64 << 10;

/// The memory of this process.
pub(super) struct Memory(File);

impl Memory {
    /// # Errors
    /// When there is no `/proc`.
    pub(super) fn open() -> io::Result<Self> {
        File::open("/proc/self/mem").map(Self)
    }

    /// Hands over every word of the range with its address, until `visit` says that it is enough
    /// or the memory ends.
    pub(super) fn words(&self, range: Range<usize>, mut visit: impl FnMut(usize, usize) -> bool) {
        let mut at = range.start.next_multiple_of(WORD);
        let mut buffer = vec![0; CHUNK];
        while at < range.end {
            let length = (range.end - at).min(CHUNK);
            let Some(chunk) = buffer.get_mut(..length) else {
                return;
            };
            let Ok(read) = self.0.read_at(chunk, at as u64) else {
                return;
            };
            let (words, _) = chunk.get(..read).unwrap_or_default().as_chunks::<WORD>();
            if words.is_empty() {
                return;
            }
            for (number, word) in words.iter().enumerate() {
                if visit(at + number * WORD, usize::from_ne_bytes(*word)) {
                    return;
                }
            }
            at += words.len() * WORD;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_those_of_the_memory() {
        let values: Vec<usize> = (0..20_000).collect();
        let begin = values.as_ptr().addr();
        let mut seen = Vec::new();
        let range = begin..begin + values.len() * WORD;
        Memory::open().unwrap().words(range, |at, word| {
            assert_eq!(at, begin + word * WORD);
            seen.push(word);
            false
        });
        assert_eq!(seen, values);
        let mut nothing = true;
        Memory::open().unwrap().words(8..64, |_, _| {
            nothing = false;
            false
        });
        assert!(nothing, "nobody has the first page");
    }
}
