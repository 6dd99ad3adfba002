//! Destructors that a library has left to threads.
//!
//! Rust's standard library, and others, have a function of theirs called at the end of a thread: by
//! a key of `pthread_key_create`, of which glibc knows the function and not the library. If that is
//! unmapped by then the process ends. Such keys are found in glibc's own table and deleted, so
//! that what they would have freed stays allocated: some hundred bytes for each thread that used
//! them. (What is registered by `__cxa_thread_atexit_impl` needs no care: glibc keeps the
//! library mapped until the thread has ended.)
//!
//! Where the table begins is found by a key of our own. A C library whose table looks otherwise
//! has no such place, and its libraries stay mapped.

use std::ffi::c_void;

use super::{
    mapping::{Mapping, Region, regions},
    memory::Memory,
};

type Destructor = extern "C" fn(*mut c_void);

#[allow(unsafe_code, reason = "functions of the C library")]
unsafe extern "C" {
    safe fn pthread_key_create(key: &mut u32, destructor: Option<Destructor>) -> i32;
    safe fn pthread_key_delete(key: u32) -> i32;
}

/// Keys of a process at most (`PTHREAD_KEYS_MAX`).
const COUNT: usize = 1024;
/// Bytes of an entry: a number that is odd while the key is in use, and the destructor.
const ENTRY: usize = 2 * size_of::<usize>();

/// A destructor that is never called: our key has no value in any thread.
extern "C" fn marks_the_table(_: *mut c_void) {}

/// Deletes the keys whose destructors are in the library; the result is how many, or `None`
/// where they cannot be found.
pub(super) fn delete_those_of(library: &Mapping) -> Option<usize> {
    let entries = OwnKey::create()?.table()?;
    let deleted = entries.iter().filter(|(key, destructor)| {
        library.has_code_at(*destructor) && pthread_key_delete(*key) == 0
    });
    Some(deleted.count())
}

struct OwnKey(u32);

impl OwnKey {
    fn create() -> Option<Self> {
        let mut key = 0;
        (pthread_key_create(&mut key, Some(marks_the_table)) == 0).then_some(Self(key))
    }

    /// The keys that are in use, with their destructors.
    fn table(&self) -> Option<Vec<(u32, usize)>> {
        let (memory, regions) = (Memory::open().ok()?, regions().ok()?);
        let marker = marks_the_table as Destructor as usize;
        let mut begin = None;
        for region in data_of_the_c_library(&regions) {
            memory.words(region.addresses.clone(), |at, word| {
                if word == marker {
                    begin = at.checked_sub(size_of::<usize>() + self.0 as usize * ENTRY);
                }
                begin.is_some()
            });
        }
        let begin = begin?;
        let mut words = Vec::with_capacity(2 * COUNT);
        memory.words(begin..begin + COUNT * ENTRY, |_, word| {
            words.push(word);
            false
        });
        let (entries, _) = words.as_chunks::<2>();
        let used = (0..).zip(entries);
        let used = used.filter(|(_, [number, _])| number % 2 == 1);
        let used: Vec<(u32, usize)> = used
            .map(|(key, [_, destructor])| (key, *destructor))
            .collect();
        // Ours is where it should be, or this is no such table.
        used.contains(&(self.0, marker)).then_some(used)
    }
}

impl Drop for OwnKey {
    fn drop(&mut self) {
        pthread_key_delete(self.0);
    }
}

/// What it can write to: of its file, and what follows without a file (its `.bss`).
fn data_of_the_c_library(regions: &[Region]) -> impl Iterator<Item = &Region> {
    let is_libc = |region: &Region| {
        let name = region.name.rsplit('/').next().unwrap_or_default();
        name.starts_with("libc.so") || name.starts_with("libc-2")
    };
    regions
        .iter()
        .enumerate()
        .filter_map(move |(number, region)| {
            let before = number.checked_sub(1).and_then(|before| regions.get(before));
            let follows = region.name.is_empty()
                && before.is_some_and(|before| {
                    is_libc(before) && before.addresses.end == region.addresses.start
                });
            (region.writable && (is_libc(region) || follows)).then_some(region)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Another one than [`marks_the_table`]: functions that do the same may be one.
    extern "C" fn of_the_library(value: *mut c_void) {
        std::hint::black_box(value);
    }

    #[test]
    #[cfg(target_env = "gnu")]
    fn the_keys_of_a_library_are_deleted_and_no_others() {
        let (mut own, mut other) = (0, 0);
        assert_eq!(pthread_key_create(&mut own, Some(of_the_library)), 0);
        assert_eq!(pthread_key_create(&mut other, None), 0);
        let executable = std::env::current_exe().unwrap().display().to_string();
        let mut library = Mapping::of(&executable).unwrap();
        let begin = of_the_library as Destructor as usize;
        library.code = vec![std::ops::Range {
            start: begin,
            end: begin + 1,
        }];
        assert_eq!(delete_those_of(&library), Some(1));
        assert_ne!(pthread_key_delete(own), 0, "it is deleted");
        assert_eq!(pthread_key_delete(other), 0, "it was there");
    }
}
