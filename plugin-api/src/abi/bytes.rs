//! Shared bytes with an owner of any kind.
//!
//! A [`Bytes`] is a pointer, a length and an owner with its own clone and drop
//! functions, so that memory which one module allocated can be read and let go
//! by another: a Rust buffer, a block of shared memory or a GStreamer buffer.

use std::{
    alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error},
    ops::{Deref, DerefMut, Range},
    ptr::NonNull,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering, fence},
    },
};

use abi_stable::StableAbi;

/// How an owner is shared and let go.
#[repr(C)]
#[derive(StableAbi)]
pub struct Owner {
    pub clone: unsafe extern "C" fn(*const ()),
    pub drop: unsafe extern "C" fn(*const ()),
}

/// Immutable bytes, cheap to clone and to slice, readable from any thread.
#[repr(C)]
#[derive(StableAbi)]
pub struct Bytes {
    data: *const u8,
    length: usize,
    object: *const (),
    owner: &'static Owner,
}

// SAFETY: the bytes are never written after construction and every owner's
// clone and drop functions may be called from any thread.
unsafe impl Send for Bytes {}
unsafe impl Sync for Bytes {}

impl Bytes {
    /// Bytes that live as long as the process.
    pub const fn from_static(data: &'static [u8]) -> Self {
        Self {
            data: data.as_ptr(),
            length: data.len(),
            object: std::ptr::null(),
            owner: &STATIC_OWNER,
        }
    }

    /// Shares the memory of any Rust value without copying it.
    pub fn from_owner<T: AsRef<[u8]> + Send + Sync + 'static>(value: T) -> Self {
        let object = Arc::new(value);
        let slice = (*object).as_ref();
        let (data, length) = (slice.as_ptr(), slice.len());
        Self {
            data,
            length,
            object: Arc::into_raw(object).cast(),
            owner: &ArcOwner::<T>::OWNER,
        }
    }

    /// Copies `data` into a new block: one allocation.
    pub fn copy_from(data: &[u8]) -> Self {
        let mut bytes = BytesMut::new(data.len());
        bytes.copy_from_slice(data);
        bytes.freeze()
    }

    /// A part of the same memory. `range` is clamped to what is there.
    pub fn slice(&self, range: Range<usize>) -> Self {
        let end = range.end.min(self.length);
        let start = range.start.min(end);
        let mut part = self.clone();
        // SAFETY: start <= end <= length, inside the same allocation.
        part.data = unsafe { self.data.add(start) };
        part.length = end - start;
        part
    }
}

impl Default for Bytes {
    fn default() -> Self {
        Self::from_static(&[])
    }
}

impl Clone for Bytes {
    fn clone(&self) -> Self {
        // SAFETY: `object` is the one `owner` was made for and still alive.
        unsafe { (self.owner.clone)(self.object) };
        Self { ..*self }
    }
}

impl Drop for Bytes {
    fn drop(&mut self) {
        // SAFETY: one drop for the reference this value held.
        unsafe { (self.owner.drop)(self.object) };
    }
}

impl Deref for Bytes {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        // SAFETY: the owner keeps `length` initialised bytes at `data` alive.
        unsafe { std::slice::from_raw_parts(self.data, self.length) }
    }
}

impl AsRef<[u8]> for Bytes {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl From<Vec<u8>> for Bytes {
    fn from(value: Vec<u8>) -> Self {
        Self::from_owner(value)
    }
}

impl std::fmt::Debug for Bytes {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Bytes({} bytes)", self.length)
    }
}

unsafe extern "C" fn keep(_: *const ()) {}
static STATIC_OWNER: Owner = Owner {
    clone: keep,
    drop: keep,
};

struct ArcOwner<T>(std::marker::PhantomData<T>);

impl<T: Send + Sync + 'static> ArcOwner<T> {
    const OWNER: Owner = Owner {
        clone: Self::clone,
        drop: Self::drop,
    };

    unsafe extern "C" fn clone(object: *const ()) {
        // SAFETY: `object` came from Arc::<T>::into_raw.
        unsafe { Arc::increment_strong_count(object.cast::<T>()) };
    }

    unsafe extern "C" fn drop(object: *const ()) {
        // A destructor of the author's type may panic: it must not cross.
        let _ = std::panic::catch_unwind(|| {
            // SAFETY: as above; gives back one reference.
            unsafe { Arc::decrement_strong_count(object.cast::<T>()) };
        });
    }
}

/// A block with its reference count in front: one allocation per buffer.
#[repr(C)]
struct Block {
    references: AtomicUsize,
    capacity: usize,
}

impl Block {
    /// # Panics
    /// When nothing can be as long: a length that fell below zero, say.
    fn layout(capacity: usize) -> Layout {
        let payload = Layout::array::<u8>(capacity);
        match payload.and_then(|payload| Layout::new::<Block>().extend(payload)) {
            Ok((layout, _)) => layout,
            #[allow(clippy::panic, reason = "as of a Vec; calls of modules contain it")]
            Err(_) => panic!("a buffer of {capacity} bytes"),
        }
    }

    unsafe extern "C" fn clone(object: *const ()) {
        // SAFETY: the caller holds a reference, so the block is alive.
        unsafe {
            (*object.cast::<Block>())
                .references
                .fetch_add(1, Ordering::Relaxed)
        };
    }

    unsafe extern "C" fn drop(object: *const ()) {
        let block = object.cast::<Block>().cast_mut();
        // SAFETY: the caller gives up its reference; the last one frees.
        unsafe {
            if (*block).references.fetch_sub(1, Ordering::Release) == 1 {
                fence(Ordering::Acquire);
                let capacity = (*block).capacity;
                dealloc(block.cast(), Self::layout(capacity));
            }
        }
    }
}

static BLOCK_OWNER: Owner = Owner {
    clone: Block::clone,
    drop: Block::drop,
};

/// A zeroed buffer with one owner, to be filled and then [frozen](Self::freeze).
#[repr(C)]
#[derive(StableAbi)]
pub struct BytesMut {
    data: *mut u8,
    length: usize,
    object: *const (),
    owner: &'static Owner,
}

// SAFETY: the only reference to its memory.
unsafe impl Send for BytesMut {}
unsafe impl Sync for BytesMut {}

impl BytesMut {
    /// Memory of this compilation unit; [`Host::buffer`](crate::Host::buffer)
    /// gives memory that the host chooses.
    ///
    /// # Panics
    /// When nothing can be as long.
    pub fn new(length: usize) -> Self {
        let layout = Block::layout(length);
        // SAFETY: the layout holds the header and `length` bytes behind it, which are zero.
        unsafe {
            let Some(block) = NonNull::new(alloc_zeroed(layout).cast::<Block>()) else {
                handle_alloc_error(layout)
            };
            block.write(Block {
                references: AtomicUsize::new(1),
                capacity: length,
            });
            let data = block.as_ptr().add(1).cast::<u8>();
            Self {
                data,
                length,
                object: block.as_ptr().cast_const().cast(),
                owner: &BLOCK_OWNER,
            }
        }
    }

    /// Panics where [`Self::new`] does. Before a call to the host: no panic may cross that.
    pub(crate) fn check_length(length: usize) {
        let _ = Block::layout(length);
    }

    /// Shortens the buffer; longer than it is has no effect.
    pub fn truncate(&mut self, length: usize) {
        self.length = self.length.min(length);
    }

    pub fn freeze(self) -> Bytes {
        let bytes = Bytes {
            data: self.data.cast_const(),
            length: self.length,
            object: self.object,
            owner: self.owner,
        };
        std::mem::forget(self);
        bytes
    }
}

impl Deref for BytesMut {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        // SAFETY: `length` bytes were initialised at construction.
        unsafe { std::slice::from_raw_parts(self.data, self.length) }
    }
}

impl DerefMut for BytesMut {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as above, and `self` is the only reference.
        unsafe { std::slice::from_raw_parts_mut(self.data, self.length) }
    }
}

impl Drop for BytesMut {
    fn drop(&mut self) {
        // SAFETY: the one reference of this buffer.
        unsafe { (self.owner.drop)(self.object) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_share_the_memory_of_their_owner() {
        let owner = Arc::new(vec![1u8, 2, 3, 4]);
        struct Shared(Arc<Vec<u8>>);
        impl AsRef<[u8]> for Shared {
            fn as_ref(&self) -> &[u8] {
                &self.0
            }
        }
        let bytes = Bytes::from_owner(Shared(owner.clone()));
        let part = bytes.slice(1..3);
        assert_eq!(&*part, &[2, 3]);
        assert_eq!(part.as_ptr(), owner[1..].as_ptr());
        drop(bytes);
        assert_eq!(Arc::strong_count(&owner), 2);
        drop(part);
        assert_eq!(Arc::strong_count(&owner), 1);
    }

    #[test]
    #[should_panic(expected = "a buffer of")]
    fn a_length_that_fell_below_zero_is_a_panic() {
        BytesMut::new(12usize.wrapping_sub(13));
    }

    #[test]
    fn a_slice_outside_of_the_bytes_is_clamped() {
        let bytes = Bytes::copy_from(&[1, 2, 3]);
        assert_eq!(&*bytes.slice(2..9), &[3]);
        assert!(bytes.slice(7..9).is_empty());
    }

    #[test]
    fn a_frozen_buffer_keeps_what_was_written() {
        let mut buffer = BytesMut::new(5);
        buffer.copy_from_slice(b"hello");
        buffer.truncate(4);
        let bytes = buffer.freeze();
        let clone = bytes.clone();
        drop(bytes);
        assert_eq!(&*clone, b"hell");
    }
}
