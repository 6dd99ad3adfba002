//! Shared bytes with an owner of any kind.
//!
//! A [`Bytes`] is a pointer, a length and an owner with its own clone and drop
//! functions, so that memory which one module allocated can be read and let go
//! by another: a Rust buffer, a block of shared memory or a GStreamer buffer.

use std::{
    alloc::{Layout, alloc, alloc_zeroed, dealloc, handle_alloc_error},
    ops::{Deref, DerefMut, Range},
    ptr::NonNull,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
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
        let block = Block::allocate(data.len(), alloc);
        // SAFETY: the block is new and has room for as many bytes, all of which are written.
        unsafe {
            let payload = Block::payload(block);
            std::ptr::copy_nonoverlapping(data.as_ptr(), payload, data.len());
            BytesMut::of_block(block, data.len(), &BLOCK_OWNER).freeze()
        }
    }

    /// Whether the bytes lie at these addresses, or what lets them go does: then they are of no use
    /// once that memory is gone.
    pub fn depends_on(&self, addresses: &Range<usize>) -> bool {
        let owner = std::ptr::from_ref(self.owner).addr();
        addresses.contains(&owner) || addresses.contains(&self.data.addr())
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

/// Bytes in one word: of use where most values are none at all. Their owner and their length lie before them.
#[repr(transparent)]
#[derive(StableAbi)]
pub struct ThinBytes(*const ThinHead);

/// What lies before [`ThinBytes`].
#[repr(C)]
#[derive(StableAbi)]
pub struct ThinHead {
    object: *const (),
    owner: &'static Owner,
    /// Of what follows.
    length: usize,
}

// SAFETY: as of Bytes, which they are made of.
unsafe impl Send for ThinBytes {}
unsafe impl Sync for ThinBytes {}

impl ThinBytes {
    /// No bytes.
    pub const NONE: Self = Self(std::ptr::null());
    /// What a buffer has to have beyond the bytes themselves.
    const HEAD: usize = size_of::<ThinHead>();

    /// The parts one after another, in memory that `allocate` gives: one allocation.
    pub fn of(parts: &[&[u8]], allocate: impl FnOnce(usize) -> BytesMut) -> Self {
        let length = parts.iter().map(|part| part.len()).sum();
        let mut buffer = allocate(Self::HEAD + length);
        let mut rest = buffer.get_mut(Self::HEAD..).unwrap_or_default();
        for part in parts {
            let Some((place, behind)) = rest.split_at_mut_checked(part.len()) else {
                return Self::NONE; // of a host that gave less than it was asked for
            };
            place.copy_from_slice(part);
            rest = behind;
        }
        let Bytes {
            data,
            object,
            owner,
            ..
        } = *std::mem::ManuallyDrop::new(buffer.freeze());
        let head = data.cast::<ThinHead>().cast_mut();
        // SAFETY: the buffer is longer than the head, nobody else has it yet, and the write asks for no
        // alignment. Its one reference is now this value's.
        unsafe {
            head.write_unaligned(ThinHead {
                object,
                owner,
                length,
            });
        }
        Self(head.cast_const())
    }

    fn head(&self) -> Option<ThinHead> {
        // SAFETY: not null, it is a head that `of` wrote, alive as long as this reference to it.
        (!self.0.is_null()).then(|| unsafe { self.0.read_unaligned() })
    }

    /// See [`Bytes::depends_on`].
    pub fn depends_on(&self, addresses: &Range<usize>) -> bool {
        let owner = self
            .head()
            .map(|head| std::ptr::from_ref(head.owner).addr());
        owner.is_some_and(|owner| addresses.contains(&owner))
    }
}

impl Deref for ThinBytes {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        let Some(head) = self.head() else { return &[] };
        // SAFETY: so many bytes were written behind the head, and stay as they are.
        unsafe { std::slice::from_raw_parts(self.0.add(1).cast(), head.length) }
    }
}

impl Clone for ThinBytes {
    fn clone(&self) -> Self {
        if let Some(head) = self.head() {
            // SAFETY: `object` is the one `owner` was made for, and alive.
            unsafe { (head.owner.clone)(head.object) };
        }
        Self(self.0)
    }
}

impl Drop for ThinBytes {
    fn drop(&mut self) {
        if let Some(head) = self.head() {
            // SAFETY: one drop for the reference this value held.
            unsafe { (head.owner.drop)(head.object) };
        }
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

    /// A block with one reference; its bytes are what `allocate` makes them.
    ///
    /// # Panics
    /// When nothing can be as long.
    fn allocate(capacity: usize, allocate: unsafe fn(Layout) -> *mut u8) -> NonNull<Self> {
        let layout = Self::layout(capacity);
        // SAFETY: the layout has the size of the header at least, so it is not empty.
        let Some(block) = NonNull::new(unsafe { allocate(layout) }.cast::<Self>()) else {
            handle_alloc_error(layout)
        };
        let references = AtomicUsize::new(1);
        // SAFETY: the memory is ours and aligned for the header.
        unsafe {
            block.write(Self {
                references,
                capacity,
            });
        }
        block
    }

    /// Where the bytes begin: right behind the header, which needs no padding before bytes.
    ///
    /// # Safety
    /// The block is alive.
    unsafe fn payload(block: NonNull<Self>) -> *mut u8 {
        // SAFETY: still inside of the allocation, or one past its end for an empty block.
        unsafe { block.as_ptr().add(1).cast() }
    }

    /// # Safety
    /// Nobody refers to the block any more.
    unsafe fn free(block: NonNull<Self>) {
        // SAFETY: it was allocated with this layout.
        unsafe {
            let capacity = block.as_ref().capacity;
            dealloc(block.as_ptr().cast(), Self::layout(capacity));
        }
    }

    /// Gives up a reference; the block when it was the last one.
    ///
    /// # Safety
    /// The caller holds the reference.
    unsafe fn release(object: *const ()) -> Option<NonNull<Self>> {
        let block = NonNull::new(object.cast::<Self>().cast_mut())?;
        // SAFETY: alive as long as there is a reference.
        let references = unsafe { &block.as_ref().references };
        if references.fetch_sub(1, Ordering::Release) != 1 {
            return None;
        }
        fence(Ordering::Acquire);
        Some(block)
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
        // SAFETY: the caller gives up its reference; after the last one nobody has the block.
        unsafe {
            if let Some(block) = Self::release(object) {
                Self::free(block);
            }
        }
    }

    /// As [`drop`](Self::drop), but the block is kept to be used again.
    unsafe extern "C" fn put_back(object: *const ()) {
        // SAFETY: as above.
        unsafe {
            if let Some(block) = Self::release(object) {
                POOL.put(block);
            }
        }
    }
}

static BLOCK_OWNER: Owner = Owner {
    clone: Block::clone,
    drop: Block::drop,
};

static POOLED_OWNER: Owner = Owner {
    clone: Block::clone,
    drop: Block::put_back,
};

/// Large blocks that nobody uses at present. The C library gets as large ones from the system and
/// gives them back each time, so that every picture would cost the zeroing of its pages.
struct Pool(Mutex<Free>);

struct Free {
    /// The one that was used last comes last: its bytes may still be in a cache.
    blocks: Vec<NonNull<Block>>,
    bytes: usize,
}

// SAFETY: the blocks are alone with the pool, and behind its lock.
unsafe impl Sync for Pool {}

static POOL: Pool = Pool(Mutex::new(Free {
    blocks: Vec::new(),
    bytes: 0,
}));

impl Pool {
    /// Shorter buffers come from the C library, which keeps as much as this for itself.
    const SHORTEST: usize = 64 * 1024;
    /// Bytes that wait here at most: some pictures of 1080p, or one of 8K.
    const BYTES: usize = 64 << 20;

    fn free(&self) -> MutexGuard<'_, Free> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A block of at least `length` bytes, and less than twice as many, with one reference. Its
    /// bytes were initialised by whoever had it before.
    fn take(&self, length: usize) -> Option<NonNull<Block>> {
        let mut free = self.free();
        let capacity = |block: &NonNull<Block>| {
            // SAFETY: blocks of the pool are alive.
            unsafe { block.as_ref().capacity }
        };
        let fits =
            |block: &NonNull<Block>| (length..length.saturating_mul(2)).contains(&capacity(block));
        let position = free.blocks.iter().rposition(fits)?;
        let block = free.blocks.remove(position);
        free.bytes -= capacity(&block);
        // SAFETY: as above, and nobody else has it.
        unsafe { block.as_ref() }
            .references
            .store(1, Ordering::Relaxed);
        Some(block)
    }

    /// # Safety
    /// Nobody refers to the block any more.
    unsafe fn put(&self, block: NonNull<Block>) {
        // SAFETY: the block is alive until it is freed.
        let capacity = unsafe { block.as_ref().capacity };
        let mut free = self.free();
        if capacity > Self::BYTES - free.bytes {
            drop(free);
            // SAFETY: by the caller's promise.
            return unsafe { Block::free(block) };
        }
        free.bytes += capacity;
        free.blocks.push(block);
    }

    fn clear(&self) {
        let mut free = self.free();
        free.bytes = 0;
        for block in std::mem::take(&mut free.blocks) {
            // SAFETY: what is in the pool is nobody else's.
            unsafe { Block::free(block) };
        }
    }
}

/// Frees the large buffers that wait to be used again.
pub(super) fn clear_pool() {
    POOL.clear();
}

/// A buffer with one owner, to be filled and then [frozen](Self::freeze).
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
    /// Zeroed memory of this compilation unit; [`Host::buffer`](crate::Host::buffer)
    /// gives memory that the host chooses.
    ///
    /// # Panics
    /// When nothing can be as long.
    pub fn new(length: usize) -> Self {
        let block = Block::allocate(length, alloc_zeroed);
        // SAFETY: all bytes are zero.
        unsafe { Self::of_block(block, length, &BLOCK_OWNER) }
    }

    /// Memory of any content: zeros, or what somebody wrote there before.
    ///
    /// # Panics
    /// When nothing can be as long.
    pub fn recycled(length: usize) -> Self {
        if length < Pool::SHORTEST {
            return Self::new(length);
        }
        let used = POOL.take(length);
        let block = used.unwrap_or_else(|| Block::allocate(length, alloc_zeroed));
        // SAFETY: zeroed when it was allocated, so initialised for good.
        unsafe { Self::of_block(block, length, &POOLED_OWNER) }
    }

    /// # Safety
    /// The first `length` bytes of the block are initialised; it has one reference, which is given
    /// to the buffer, and its capacity is at least `length`.
    unsafe fn of_block(block: NonNull<Block>, length: usize, owner: &'static Owner) -> Self {
        Self {
            // SAFETY: the block is alive.
            data: unsafe { Block::payload(block) },
            length,
            object: block.as_ptr().cast_const().cast(),
            owner,
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
    fn bytes_in_a_word_are_shared_and_let_go() {
        assert_eq!(size_of::<ThinBytes>(), size_of::<usize>());
        assert!(ThinBytes::NONE.is_empty() && ThinBytes::NONE.clone().is_empty());
        let bytes = ThinBytes::of(&[b"he", b"", b"llo"], BytesMut::new);
        let clone = bytes.clone();
        drop(bytes);
        assert_eq!(&*clone, b"hello");
        let here = std::ptr::from_ref(&BLOCK_OWNER).addr();
        assert!(clone.depends_on(&(here..here + 1)) && !clone.depends_on(&(0..1)));
        let none = ThinBytes::of(&[b"hello"], |_| BytesMut::new(3));
        assert!(none.is_empty());
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

    #[test]
    fn the_memory_of_a_large_buffer_is_used_again() {
        let length = 3 * Pool::SHORTEST + 1;
        let mut first = BytesMut::recycled(length);
        assert!(first.iter().all(|&byte| byte == 0));
        first.fill(7);
        let address = first.as_ptr();
        let bytes = first.freeze();
        let clone = bytes.clone();
        drop(bytes);
        let other = BytesMut::recycled(length);
        assert_ne!(other.as_ptr(), address, "somebody still reads the first");
        drop(clone);
        let mut again = BytesMut::recycled(length - 100);
        assert_eq!((again.as_ptr(), again.len()), (address, length - 100));
        again.fill(8);
        drop((again, other));
        let much_shorter = BytesMut::recycled(Pool::SHORTEST);
        assert_ne!(much_shorter.as_ptr(), address);
        // As long as nobody else takes buffers of this size, which no other test does.
        let kept: Vec<BytesMut> = (0..3000).map(|_| BytesMut::recycled(length)).collect();
        drop(kept);
        assert!(POOL.free().bytes <= Pool::BYTES);
        clear_pool();
        assert_eq!(POOL.free().bytes, 0);
        assert!(BytesMut::recycled(length).iter().all(|&byte| byte == 0));
    }
}
