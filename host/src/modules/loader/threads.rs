//! Whether a thread may be in the code of a library.
//!
//! A library whose code is unmapped while a thread has still to return to it ends the process. What
//! a module started, itself or through libraries in it, nobody tells the host; but a thread that
//! waits in the kernel has every address to which it will return on its stack, and glibc keeps
//! the function that a thread began with at the top of it. So the stacks are searched for addresses
//! of the library's code. What is found may be left over from a call that is long over: then the
//! library stays for longer than it has to.

use std::{fs, io, ops::Range, path::Path, time::Duration};

use super::{
    mapping::{Mapping, Region, regions},
    memory::Memory,
};

/// Bytes of a stack that are searched at most: the largest that libraries ask for.
const LONGEST: usize = 16 << 20;

/// A thread that was running is looked at again after so long, and so often: it is enough to see it
/// outside once, since nothing leads into the library any more.
const AGAIN: Duration = Duration::from_millis(1);
const LOOKS: usize = 100;

/// What a look at all threads came to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Threads {
    /// None is in the library.
    Outside,
    /// This one is, or may be.
    Inside(String),
    /// This one was running, so where it is cannot be said: another look may tell.
    Running(String),
    /// The system does not say where threads are.
    Unknown,
}

/// Where the threads of the process are but for the calling one, which is in no module.
pub(super) fn look(library: &Mapping) -> Threads {
    let looked = regions().and_then(|regions| look_at_all(library, &regions));
    looked.unwrap_or(Threads::Unknown)
}

fn look_at_all(library: &Mapping, regions: &[Region]) -> io::Result<Threads> {
    let memory = Memory::open()?;
    // `<process>/task/<thread>`
    let own = fs::read_link("/proc/thread-self")?;
    let mut running = None;
    for entry in fs::read_dir("/proc/self/task")? {
        let task = entry?;
        if own.file_name() == Some(task.file_name().as_os_str()) {
            continue;
        }
        let Ok(place) = place_of(&task.path().join("syscall")) else {
            // A thread that has ended meanwhile is in nothing.
            if task.path().exists() {
                return Ok(Threads::Unknown);
            }
            continue;
        };
        let name = || {
            let name = fs::read_to_string(task.path().join("comm")).unwrap_or_default();
            name.trim().to_owned()
        };
        match place {
            Some(place) if place.is_in(library, &memory, regions) => {
                return Ok(Threads::Inside(name()));
            }
            Some(_) => {}
            None => running = running.or_else(|| Some(name())),
        }
    }
    Ok(running.map_or(Threads::Outside, Threads::Running))
}

/// Where the thread with this file is; `None` if it was running whenever it was looked at.
fn place_of(file: &Path) -> io::Result<Option<Place>> {
    for _ in 0..LOOKS {
        let place = Place::parse(&fs::read_to_string(file)?);
        if place.is_some() {
            return Ok(place);
        }
        std::thread::sleep(AGAIN);
    }
    Ok(None)
}

/// Where a thread waits in the kernel.
struct Place {
    stack: usize,
    instruction: usize,
}

impl Place {
    /// The last two numbers of `/proc/self/task/…/syscall` are the stack's and the instruction's
    /// addresses; of a thread that runs the file says only that.
    fn parse(state: &str) -> Option<Self> {
        let number = |word: &str| usize::from_str_radix(word.strip_prefix("0x")?, 16).ok();
        let mut words = state.split_ascii_whitespace().rev();
        let (instruction, stack) = (number(words.next()?)?, number(words.next()?)?);
        Some(Self { stack, instruction })
    }

    fn is_in(&self, library: &Mapping, memory: &Memory, regions: &[Region]) -> bool {
        if library.has_code_at(self.instruction) {
            return true;
        }
        let mut found = false;
        memory.words(self.rest(regions), |_, word| {
            found = library.has_code_at(word);
            found
        });
        found
    }

    /// The part of the stack that is in use.
    fn rest(&self, regions: &[Region]) -> Range<usize> {
        let region = { regions.iter() }.find(|region| region.addresses.contains(&self.stack));
        let end = region.map_or(self.stack, |region| region.addresses.end);
        self.stack..end.min(self.stack.saturating_add(LONGEST))
    }
}

#[cfg(test)]
mod tests {
    use std::{hint::black_box, sync::mpsc, thread};

    use super::*;

    fn receives(receiver: &mpsc::Receiver<()>) -> bool {
        receiver.recv().is_ok()
    }

    /// Short, so that [`library`] knows where its code ends.
    #[inline(never)]
    fn waits(receiver: &mpsc::Receiver<()>) -> bool {
        let receives: fn(&mpsc::Receiver<()>) -> bool = black_box(receives);
        let received = receives(receiver);
        black_box(received)
    }

    /// A library that consists of one function of this test.
    fn library(function: usize) -> Mapping {
        let executable = std::env::current_exe().unwrap().display().to_string();
        let mut mapping = Mapping::of(&executable).unwrap();
        mapping.code = vec![Range {
            start: function,
            end: function + 64,
        }];
        mapping
    }

    #[test]
    fn a_thread_that_waits_in_a_function_is_found_and_is_gone_afterwards() {
        let (sender, receiver) = mpsc::channel();
        let waiting = thread::Builder::new().name("waits-inside".to_owned());
        let waiting = waiting.spawn(move || waits(&receiver)).unwrap();
        let library = library(waits as fn(&mpsc::Receiver<()>) -> bool as usize);
        let found = |wanted: &dyn Fn(&Threads) -> bool| {
            let mut looks = (0..2000).map(|_| {
                thread::sleep(std::time::Duration::from_millis(1));
                look(&library)
            });
            looks.any(|threads| wanted(&threads))
        };
        assert!(found(
            &|threads| *threads == Threads::Inside("waits-inside".to_owned())
        ));
        sender.send(()).unwrap();
        assert!(waiting.join().unwrap());
        assert!(found(
            &|threads| !matches!(threads, Threads::Inside(name) if name == "waits-inside")
        ));
    }

    #[test]
    fn what_the_kernel_says_is_understood() {
        let place = Place::parse("202 0x1 0x2 0x3 0x4 0x5 0x6 0x7ffc0 0x7f940\n").unwrap();
        assert_eq!((place.stack, place.instruction), (0x7ffc0, 0x7f940));
        assert!(Place::parse("-1 0x7ffc0 0x7f940").is_some());
        assert!(Place::parse("running\n").is_none());
    }
}
