//! Shared memory for the payload of packets, one ring for each direction.
//!
//! The memory has no name. It is sealed, so that no process can shorten it under the other one's feet,
//! and its pages are there from the beginning: neither side can meet `SIGBUS` in it. What lies where is
//! said by nobody: both sides count the bytes that passed, and the socket says how many come. So the other
//! process decides about the contents of the bytes, and about nothing else; they are copied
//! out once, before anybody looks at them.
//!
//! Its first page has one word, how many bytes were taken out of the ring since its beginning. That is
//! all that the writing side reads of it, and more than was put in is a lie.
#![allow(unsafe_code)]

use std::{
    fs::File,
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use memmap2::{MmapOptions, MmapRaw};
use rivero_plugin_api::{Bytes, BytesMut, Packet};
use rustix::fs::{
    FallocateFlags, MemfdFlags, SealFlags, fallocate, fcntl_add_seals, ftruncate, memfd_create,
};

/// Where the payload begins.
const HEAD: usize = 4096;

/// The memory of one direction.
pub(super) struct Memory {
    mapping: MmapRaw,
    capacity: usize,
    file: File,
}

impl Memory {
    /// Memory for so many bytes of payload.
    pub(super) fn new(capacity: usize) -> io::Result<Self> {
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let file = memfd_create("rivero-media-ring", flags)?;
        let length = (HEAD + capacity) as u64;
        ftruncate(&file, length)?;
        fallocate(&file, FallocateFlags::empty(), 0, length)?;
        fcntl_add_seals(&file, SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL)?;
        Self::of(file)
    }

    /// Memory that the server made.
    pub(super) fn of(file: OwnedFd) -> io::Result<Self> {
        let file = File::from(file);
        let length = usize::try_from(file.metadata()?.len()).unwrap_or(0);
        let capacity = length.checked_sub(HEAD).filter(|capacity| *capacity > 0);
        let capacity = capacity.ok_or(io::ErrorKind::InvalidInput)?;
        let mapping = MmapOptions::new().len(length).map_raw(&file)?;
        Ok(Self {
            mapping,
            capacity,
            file,
        })
    }

    pub(super) fn file(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }

    fn taken(&self) -> &AtomicU64 {
        // SAFETY: a mapping begins at a page and has more than 8 bytes; the word is only used by atomic
        // operations, in either process.
        unsafe { AtomicU64::from_ptr(self.mapping.as_mut_ptr().cast()) }
    }

    /// The two places, without a gap in the ring, where `length` bytes from a position on lie: each an offset
    /// and a length.
    fn places(&self, position: u64, length: usize) -> [(usize, usize); 2] {
        let start = usize::try_from(position % self.capacity as u64).unwrap_or(0);
        let first = length.min(self.capacity - start);
        [(HEAD + start, first), (HEAD, (length - first).min(start))]
    }

    fn write(&self, position: u64, bytes: &[u8]) {
        let mut rest = bytes;
        for (offset, length) in self.places(position, bytes.len()) {
            let (part, behind) = rest.split_at(length.min(rest.len()));
            // SAFETY: `places` are inside of the mapping. The other process may read or write there at the
            // same time, which makes the bytes any bytes; no reference to them is ever made.
            unsafe {
                let target = self.mapping.as_mut_ptr().add(offset);
                std::ptr::copy_nonoverlapping(part.as_ptr(), target, part.len());
            }
            rest = behind;
        }
    }

    fn read(&self, position: u64, bytes: &mut [u8]) {
        let mut rest = bytes;
        let length = rest.len();
        for (offset, length) in self.places(position, length) {
            let length = length.min(rest.len());
            let (part, behind) = rest.split_at_mut(length);
            // SAFETY: as of `write`.
            unsafe {
                let source = self.mapping.as_ptr().add(offset);
                std::ptr::copy_nonoverlapping(source, part.as_mut_ptr(), part.len());
            }
            rest = behind;
        }
    }
}

/// Why nothing was put into a ring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// There is no room now.
    Full,
    /// There never will be.
    TooLong,
    /// The other side says that it took out what nobody put in.
    Lie,
}

/// The side that puts payload in.
pub(super) struct Producer {
    memory: Arc<Memory>,
    put: u64,
}

impl Producer {
    pub(super) fn new(memory: Arc<Memory>) -> Self {
        Self { memory, put: 0 }
    }

    /// Copies the payload of all packets in, or nothing.
    pub(super) fn put(&mut self, packets: &[Packet]) -> Result<(), Refusal> {
        let length: usize = packets.iter().map(|packet| packet.bytes.len()).sum();
        if length > self.memory.capacity {
            return Err(Refusal::TooLong);
        }
        // The bytes that were taken out were read before this said so.
        let taken = self.memory.taken().load(Ordering::Acquire);
        let inside = self.put.checked_sub(taken).ok_or(Refusal::Lie)?;
        let inside = usize::try_from(inside).unwrap_or(usize::MAX);
        let room = { self.memory.capacity.checked_sub(inside) }.ok_or(Refusal::Lie)?;
        if length > room {
            return Err(Refusal::Full);
        }
        for packet in packets {
            self.memory.write(self.put, &packet.bytes);
            self.put += packet.bytes.len() as u64;
        }
        Ok(())
    }
}

/// The side that takes payload out.
pub(super) struct Consumer {
    memory: Arc<Memory>,
    taken: u64,
}

impl Consumer {
    pub(super) fn new(memory: Arc<Memory>) -> Self {
        Self { memory, taken: 0 }
    }

    /// A copy of the next bytes; nothing where no ring has as many.
    pub(super) fn take(&mut self, length: usize) -> Option<Bytes> {
        if length > self.memory.capacity {
            return None;
        }
        let mut bytes = BytesMut::recycled(length);
        self.memory.read(self.taken, &mut bytes);
        self.taken += length as u64;
        // The other side may write there from now on.
        self.memory.taken().store(self.taken, Ordering::Release);
        Some(bytes.freeze())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(length: usize, content: u8) -> Packet {
        Packet {
            bytes: vec![content; length].into(),
            ..Packet::default()
        }
    }

    fn ring(capacity: usize) -> (Producer, Consumer, Arc<Memory>) {
        let memory = Arc::new(Memory::new(capacity).unwrap());
        let other = memory.file.try_clone().unwrap().into();
        let other = Arc::new(Memory::of(other).unwrap());
        (Producer::new(memory.clone()), Consumer::new(other), memory)
    }

    #[test]
    fn what_is_put_in_is_taken_out_past_the_end_of_the_memory() {
        let (mut producer, mut consumer, _) = ring(5000);
        for round in 0..100_u8 {
            producer
                .put(&[packet(1700, round), packet(7, 255 - round)])
                .unwrap();
            assert!(
                consumer
                    .take(1700)
                    .unwrap()
                    .iter()
                    .all(|byte| *byte == round)
            );
            assert_eq!(&*consumer.take(7).unwrap(), &[255 - round; 7]);
        }
    }

    #[test]
    fn what_does_not_fit_is_refused_as_a_whole() {
        let (mut producer, mut consumer, memory) = ring(1000);
        assert_eq!(producer.put(&[packet(1001, 0)]), Err(Refusal::TooLong));
        producer.put(&[packet(600, 1)]).unwrap();
        let both = [packet(300, 2), packet(101, 3)];
        assert_eq!(producer.put(&both), Err(Refusal::Full));
        assert!(consumer.take(600).is_some() && consumer.take(1001).is_none());
        producer.put(&both).unwrap();
        memory.taken().store(u64::MAX, Ordering::Relaxed);
        assert_eq!(producer.put(&[]), Err(Refusal::Lie));
        memory.taken().store(0, Ordering::Relaxed);
        assert_eq!(producer.put(&[]), Err(Refusal::Lie));
    }

    #[test]
    fn nobody_can_shorten_the_memory() {
        let memory = Memory::new(1000).unwrap();
        assert!(memory.file.set_len(10).is_err() && memory.file.set_len(1 << 20).is_err());
    }
}
