//! The heap: one for the process, the C library's, from which the host and all modules allocate.

/// Lets threads share so many arenas; by default there may be eight for each core, and what one
/// has free is of no use to the others. For the begin of a process, before it allocates much.
pub fn share_arenas(count: u8) {
    #[cfg(target_env = "gnu")]
    {
        /// `malloc.h` of the GNU C library.
        const M_ARENA_MAX: i32 = -8;
        unsafe extern "C" {
            safe fn mallopt(parameter: i32, value: i32) -> i32;
        }
        mallopt(M_ARENA_MAX, count.into());
    }
    #[cfg(not(target_env = "gnu"))]
    let _ = count;
}

/// Gives blocks of more than `bytes` back to the system as soon as they are free, and what is free
/// at the end of an arena beyond so much. By itself the C library raises both bounds to 32 and
/// 64 MiB as soon as blocks of such sizes come and go, and of the ends of arenas other than the
/// first [`give_back`] gives nothing. For the begin of a process.
pub fn keep_at_most(bytes: u32) {
    #[cfg(target_env = "gnu")]
    {
        /// `malloc.h` of the GNU C library.
        const M_TRIM_THRESHOLD: i32 = -1;
        const M_MMAP_THRESHOLD: i32 = -3;
        unsafe extern "C" {
            safe fn mallopt(parameter: i32, value: i32) -> i32;
        }
        let bytes = i32::try_from(bytes).unwrap_or(i32::MAX);
        mallopt(M_TRIM_THRESHOLD, bytes);
        mallopt(M_MMAP_THRESHOLD, bytes);
    }
    #[cfg(not(target_env = "gnu"))]
    let _ = bytes;
}

/// Gives pages that are free in every arena, and large buffers that wait to be used again, back to
/// the system. Takes from microseconds to some
/// ms, during which threads that allocate may wait. Does nothing where the C library cannot.
pub fn give_back() {
    super::bytes::clear_pool();
    #[cfg(target_env = "gnu")]
    {
        unsafe extern "C" {
            // malloc_trim(3): takes the locks that it needs itself.
            safe fn malloc_trim(pad: usize) -> i32;
        }
        malloc_trim(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Resident memory of the process, MiB.
    #[cfg(target_env = "gnu")]
    fn resident() -> usize {
        let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
        let pages: usize = pages.split(' ').nth(1).unwrap().parse().unwrap();
        (pages * 4096) >> 20
    }

    #[cfg(target_env = "gnu")]
    #[test]
    fn what_is_free_goes_back_and_what_is_in_use_stays() {
        const BLOCK: usize = 4000; // below what malloc maps on its own and gives back by itself
        let mut blocks: Vec<Option<Vec<u8>>> = (0..32_000).map(|_| Some(vec![1; BLOCK])).collect();
        // Of 64 blocks one stays, so that no end of the heap is free.
        for (number, block) in blocks.iter_mut().enumerate() {
            if number % 64 != 63 {
                *block = None;
            }
        }
        let before = resident();
        give_back();
        let given_back = before.saturating_sub(resident());
        assert!(given_back > 80, "{given_back} of 120 MiB");
        let kept: Vec<_> = blocks.into_iter().flatten().collect();
        assert_eq!(kept.len(), 500);
        assert!(kept.iter().flatten().all(|&byte| byte == 1));
    }
}
