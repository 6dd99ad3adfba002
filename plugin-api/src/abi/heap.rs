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

    #[test]
    fn what_is_in_use_stays() {
        let kept: Vec<Vec<u8>> = (0..1000).map(|i| vec![1; i]).collect();
        give_back();
        assert!(kept.iter().flatten().all(|&byte| byte == 1));
    }
}
