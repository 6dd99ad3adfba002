//! A native fault in a library names it before the process ends.
//!
//! The handler may do next to nothing: it may come upon any code that holds any lock. So where libraries are is noted
//! in a table without locks when they are opened, and the handler looks whether the instruction that failed, or
//! an address on the stack of its thread, lies in one of them. It runs on the alternate stack that
//! threads of the standard library have, writes one line to standard error, and lets the signal do
//! what it would have done.
#![allow(unsafe_code)]

use std::{
    ffi::{c_int, c_void},
    ops::Range,
    ptr,
    sync::{
        Once, OnceLock,
        atomic::{
            AtomicPtr, AtomicUsize,
            Ordering::{Acquire, Relaxed, Release},
        },
    },
};

/// Signals of native faults, and how they are called.
const SIGNALS: [(c_int, &str); 5] = [
    (libc::SIGSEGV, "SIGSEGV"),
    (libc::SIGBUS, "SIGBUS"),
    (libc::SIGILL, "SIGILL"),
    (libc::SIGFPE, "SIGFPE"),
    (libc::SIGABRT, "SIGABRT"),
];

/// Libraries that are named; more than a server has.
const PLACES: usize = 256;
/// Words of a stack that are looked at.
const DEPTH: usize = 4096;
/// Bytes of a line.
const LINE: usize = 512;

/// Where a library is. An end of 0: nowhere.
struct Place {
    begin: AtomicUsize,
    end: AtomicUsize,
    /// One pointer, so that a handler sees a text and its length together.
    name: AtomicPtr<&'static str>,
}

static TABLE: [Place; PLACES] = [const {
    Place {
        begin: AtomicUsize::new(0),
        end: AtomicUsize::new(0),
        name: AtomicPtr::new(ptr::null_mut()),
    }
}; PLACES];

/// The entry of a library; it is gone with this.
pub(super) struct Noted(Option<&'static Place>);

/// Notes where a library is, of which this is the name for operators.
pub(super) fn note(addresses: &Range<usize>, name: &str) -> Noted {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(install);
    let free = |place: &&Place| {
        let taken = place
            .begin
            .compare_exchange(0, addresses.start, Relaxed, Relaxed);
        taken.is_ok()
    };
    let place = TABLE.iter().find(free);
    if let Some(place) = place {
        // A handler may read it at any time: so the text is never freed, some dozens of bytes for each load.
        let text: &'static str = Box::leak(name.to_owned().into_boxed_str());
        place.name.store(Box::leak(Box::new(text)), Release);
        place.end.store(addresses.end, Release);
    }
    Noted(place)
}

impl Drop for Noted {
    fn drop(&mut self) {
        if let Some(place) = self.0 {
            place.end.store(0, Relaxed);
            place.begin.store(0, Relaxed);
        }
    }
}

/// The name of the library at an address.
fn name_at(address: usize) -> Option<&'static [u8]> {
    let is_there = |place: &&Place| {
        let end = place.end.load(Acquire);
        (place.begin.load(Relaxed)..end).contains(&address)
    };
    let place = TABLE.iter().find(is_there)?;
    // SAFETY: null, or a text that lives as long as the process. An entry that is given to another library at this
    // moment has the name of one of the two.
    let name = unsafe { place.name.load(Acquire).as_ref() }?;
    Some(name.as_bytes())
}

/// What was done about each signal before.
static FORMER: [OnceLock<libc::sigaction>; SIGNALS.len()] =
    [const { OnceLock::new() }; SIGNALS.len()];

fn install() {
    for ((signal, _), former) in SIGNALS.iter().zip(&FORMER) {
        // SAFETY: the action is initialised, and its handler has the type that SA_SIGINFO asks for.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            let mut before: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction =
                on_fault as extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void) as usize;
            action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_RESETHAND;
            libc::sigemptyset(&raw mut action.sa_mask);
            if libc::sigaction(*signal, ptr::null(), &raw mut before) == 0 {
                let _ = former.set(before);
            }
            libc::sigaction(*signal, &raw const action, ptr::null_mut());
        }
    }
}

extern "C" fn on_fault(signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    // SAFETY: the kernel gives a context of this type to a handler with SA_SIGINFO.
    let (instruction, stack) = unsafe { registers(context.cast()) };
    let name = name_at(instruction).or_else(|| name_on(stack));
    if let Some(name) = name {
        say(signal, name);
    }
    let position = SIGNALS.iter().position(|(known, _)| *known == signal);
    let former = position.and_then(|position| FORMER.get(position)?.get());
    // SAFETY: all of these may be called in a handler. SA_RESETHAND has taken this one away. What was there before
    // (the standard library tells of stacks that are too short) gets the fault when the instruction is run
    // again; a signal that somebody sent would not come again by itself, and ends the process.
    unsafe {
        if (*info).si_code <= 0 {
            libc::raise(signal);
        } else if let Some(former) = former {
            libc::sigaction(signal, former, ptr::null_mut());
        }
    }
}

/// Instruction and top of the stack.
#[cfg(target_arch = "x86_64")]
unsafe fn registers(context: *const libc::ucontext_t) -> (usize, usize) {
    // SAFETY: by the caller's promise.
    let registers = unsafe { &(*context).uc_mcontext.gregs };
    let at = |register: c_int| {
        let value = usize::try_from(register)
            .ok()
            .and_then(|at| registers.get(at));
        value.map_or(0, |value| *value as usize)
    };
    (at(libc::REG_RIP), at(libc::REG_RSP))
}

/// Instruction and top of the stack.
#[cfg(target_arch = "aarch64")]
unsafe fn registers(context: *const libc::ucontext_t) -> (usize, usize) {
    // SAFETY: by the caller's promise.
    let machine = unsafe { &(*context).uc_mcontext };
    (machine.pc as usize, machine.sp as usize)
}

/// The library that an address on a stack lies in: the innermost, which called what failed.
fn name_on(stack: usize) -> Option<&'static [u8]> {
    // Small pieces, and by the kernel: the stack ends somewhere.
    let mut words = [0_usize; 64];
    for piece in 0..DEPTH / words.len() {
        let from = libc::iovec {
            iov_base: (stack + piece * size_of_val(&words)) as *mut c_void,
            iov_len: size_of_val(&words),
        };
        let to = libc::iovec {
            iov_base: words.as_mut_ptr().cast(),
            iov_len: size_of_val(&words),
        };
        // SAFETY: it writes into `words`, and says where it cannot read.
        let read = unsafe {
            libc::process_vm_readv(libc::getpid(), &raw const to, 1, &raw const from, 1, 0)
        };
        let read = usize::try_from(read).unwrap_or(0) / size_of::<usize>();
        let name = words.iter().take(read).find_map(|word| name_at(*word));
        if name.is_some() || read < words.len() {
            return name;
        }
    }
    None
}

/// One line, without allocating.
fn say(signal: c_int, name: &[u8]) {
    let signal = SIGNALS.iter().find(|(known, _)| *known == signal);
    let signal = signal.map_or("a signal", |(_, name)| *name);
    let parts = [
        b"rivero: ".as_slice(),
        signal.as_bytes(),
        b" in the module ",
        name,
        b", of which the process ends: mediaServer.modules.isolation gives a module a process of its own\n",
    ];
    let mut line = [0_u8; LINE];
    let mut length = 0;
    for byte in parts.into_iter().flatten() {
        if let Some(place) = line.get_mut(length) {
            *place = *byte;
            length += 1;
        }
    }
    // SAFETY: so many bytes of the line were written.
    unsafe {
        libc::write(libc::STDERR_FILENO, line.as_ptr().cast(), length);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_is_found_by_its_addresses_as_long_as_it_is_noted() {
        let noted = note(&(0x1000..0x2000), "/modules/a.so");
        let other = note(&(0x5000..0x6000), "/modules/b.so");
        assert_eq!(name_at(0x1fff), Some(b"/modules/a.so".as_slice()));
        assert_eq!(name_at(0x5000), Some(b"/modules/b.so".as_slice()));
        assert_eq!((name_at(0x2000), name_at(0)), (None, None));
        drop(noted);
        assert_eq!(name_at(0x1fff), None);
        drop(other);
    }

    #[test]
    fn an_address_on_the_stack_names_a_library() {
        let noted = note(&(0x1234_5678_0000..0x1234_5679_0000), "/modules/c.so");
        let words: [usize; 4] = [1, 0x1234_5678_9abc, 3, 4];
        let stack = std::hint::black_box(&words).as_ptr().addr();
        assert_eq!(name_on(stack), Some(b"/modules/c.so".as_slice()));
        drop(noted);
        assert_eq!(name_on(8), None);
    }
}
