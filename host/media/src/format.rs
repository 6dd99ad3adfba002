//! Formats by number: packets carry the number, pads compare it.

use std::{
    collections::{HashMap, VecDeque},
    hash::{Hash, Hasher},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
};

use arc_swap::ArcSwapOption;
use rivero_plugin_api::{Format, abi::traits::ANY_FORMAT};

use crate::traffic::CodecTraffic;

/// Bytes of a format's texts. A configuration in hexadecimal is the longest of them: the three
/// headers of Vorbis have some 10 kB.
const LONGEST: usize = 64 * 1024;

/// The formats that are in use in this process, by numbers from 1 on.
///
/// Peers and clients decide which formats there are, so nothing is kept for good: a format is
/// known as long as somebody [uses](FormatUse) it, which is a pad, a conversion, or a module that
/// has asked for its number [lately](RecentFormats). There is no bound on all of them together,
/// which one user could exhaust for the others; each user has one of its own.
#[derive(Default)]
pub struct Formats(Arc<Mutex<Table>>);

#[derive(Default)]
struct Table {
    numbers: HashMap<Arc<Format>, u32>,
    formats: HashMap<u32, Entry>,
    /// The number that was given last.
    latest: u32,
}

struct Entry {
    format: Arc<Format>,
    uses: usize,
}

/// A use of a format: until the last one is dropped, its number means this format.
pub(crate) struct FormatUse {
    number: u32,
    table: Arc<Mutex<Table>>,
}

fn lock(table: &Mutex<Table>) -> MutexGuard<'_, Table> {
    table.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Formats {
    /// Uses a format; equal ones have one number. `None` when its texts are too long for a format.
    pub(crate) fn hold(&self, format: Format) -> Option<Arc<FormatUse>> {
        if length(&format) > LONGEST {
            return None;
        }
        let number = lock(&self.0).enter(format);
        Some(self.usage(number))
    }

    /// Uses the format behind a number, if there is one.
    pub(crate) fn hold_number(&self, number: u32) -> Option<Arc<FormatUse>> {
        lock(&self.0).formats.get_mut(&number)?.uses += 1;
        Some(self.usage(number))
    }

    fn usage(&self, number: u32) -> Arc<FormatUse> {
        let table = self.0.clone();
        Arc::new(FormatUse { number, table })
    }

    /// The format behind a number.
    pub fn get(&self, number: u32) -> Option<Arc<Format>> {
        let table = lock(&self.0);
        Some(table.formats.get(&number)?.format.clone())
    }

    /// The format in words, for logs and errors.
    pub(crate) fn describe(&self, number: u32) -> String {
        self.get(number)
            .map_or_else(|| "nothing".to_owned(), |format| format.to_string())
    }

    /// How many formats are in use.
    #[must_use]
    pub fn len(&self) -> usize {
        lock(&self.0).formats.len()
    }

    /// Whether no format is in use.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A number that stays for the rest of a test.
    #[cfg(test)]
    pub(crate) fn id(&self, format: Format) -> u32 {
        let usage = self.hold(format).unwrap();
        let number = usage.number;
        std::mem::forget(usage);
        number
    }
}

impl Table {
    /// Counts one more use of a format.
    fn enter(&mut self, format: Format) -> u32 {
        if let Some(&number) = self.numbers.get(&format) {
            if let Some(entry) = self.formats.get_mut(&number) {
                entry.uses += 1;
            }
            return number;
        }
        let number = self.free_number();
        let format = Arc::new(format);
        self.numbers.insert(format.clone(), number);
        self.formats.insert(number, Entry { format, uses: 1 });
        number
    }

    /// Counts one use less; the last one ends the format.
    fn leave(&mut self, number: u32) {
        let Some(entry) = self.formats.get_mut(&number) else {
            return;
        };
        entry.uses -= 1;
        if entry.uses == 0
            && let Some(entry) = self.formats.remove(&number)
        {
            self.numbers.remove(&entry.format);
        }
    }

    /// A number is used again only after all others: packets with it may still be on their way.
    fn free_number(&mut self) -> u32 {
        loop {
            self.latest = self.latest.wrapping_add(1);
            let is_taken = self.formats.contains_key(&self.latest);
            if !is_taken && self.latest != 0 && self.latest != ANY_FORMAT {
                return self.latest;
            }
        }
    }
}

impl FormatUse {
    pub(crate) fn number(&self) -> u32 {
        self.number
    }
}

impl Drop for FormatUse {
    fn drop(&mut self) {
        lock(&self.table).leave(self.number);
    }
}

/// Two uses of one format are the same to whoever plans with them.
impl PartialEq for FormatUse {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

impl Eq for FormatUse {}

impl Hash for FormatUse {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.number.hash(state);
    }
}

impl std::fmt::Debug for FormatUse {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "format {}", self.number)
    }
}

/// The format that a source pad has at present.
#[derive(Default)]
pub(crate) struct CurrentFormat {
    /// 0 = none. Relaxed is enough: packets carry their own format, and what is decided by this
    /// number is decided under the lock of the graph, under which it is also set.
    number: AtomicU32,
    /// Keeps the number valid.
    usage: Mutex<Option<Arc<FormatUse>>>,
    /// Where what passes in it is counted; nowhere before there is one.
    pub(crate) traffic: ArcSwapOption<CodecTraffic>,
}

impl CurrentFormat {
    pub(crate) fn number(&self) -> u32 {
        self.number.load(Relaxed)
    }

    /// What keeps the number valid.
    pub(crate) fn usage(&self) -> Option<Arc<FormatUse>> {
        let usage = self.usage.lock();
        usage.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// `true` when it is a change.
    pub(crate) fn set(&self, format: Option<Arc<FormatUse>>) -> bool {
        let number = format.as_deref().map_or(0, FormatUse::number);
        *self.usage.lock().unwrap_or_else(PoisonError::into_inner) = format;
        self.number.swap(number, Relaxed) != number
    }
}

/// Bytes of a format's texts.
fn length(format: &Format) -> usize {
    let parameters = format.parameters.iter();
    let parameters = parameters.map(|(name, value)| name.len() + value.len());
    format.encoding.len() + parameters.sum::<usize>()
}

/// The formats whose numbers one module has asked for lately.
///
/// A module gets a number before it gives it to a pad, and packets carry numbers that no pad has:
/// raw pictures have a format for each size. So the numbers of the latest formats stay valid, for
/// each module by itself: one that goes through any number of formats forgets only its own.
#[derive(Default)]
pub struct RecentFormats(Mutex<Recent>);

#[derive(Default)]
struct Recent {
    known: HashMap<u32, Memory>,
    /// Whose turn it is to be forgotten.
    turns: VecDeque<u32>,
    bytes: usize,
}

struct Memory {
    usage: Arc<FormatUse>,
    bytes: usize,
    /// Asked for since it was entered, or since its turn.
    used: bool,
}

impl RecentFormats {
    /// Formats that a module can ask for before the first of them may be forgotten. Packets wait
    /// for at most some hundred milliseconds, in which a machine decodes fewer pictures of new
    /// sizes.
    pub const COUNT: usize = 4_096;
    /// Bytes of texts that they may have together.
    const BYTES: usize = 1 << 20;

    /// The number of a format; 0 when its texts are too long for a format.
    pub fn number(&self, formats: &Formats, format: Format) -> u32 {
        let bytes = length(&format);
        let Some(usage) = formats.hold(format) else {
            return 0;
        };
        let number = usage.number;
        let mut recent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(memory) = recent.known.get_mut(&number) {
            memory.used = true;
            return number;
        }
        let used = false;
        recent.known.insert(number, Memory { usage, bytes, used });
        recent.turns.push_back(number);
        recent.bytes += bytes;
        recent.forget_surplus();
        number
    }
}

impl Recent {
    /// Each format that was asked for since its last turn is passed over once, so this ends.
    fn forget_surplus(&mut self) {
        while self.turns.len() > RecentFormats::COUNT
            || (self.bytes > RecentFormats::BYTES && self.turns.len() > 1)
        {
            let Some(number) = self.turns.pop_front() else {
                return;
            };
            match self.known.get_mut(&number) {
                Some(memory) if memory.used => {
                    memory.used = false;
                    self.turns.push_back(number);
                }
                _ => {
                    if let Some(memory) = self.known.remove(&number) {
                        self.bytes -= memory.bytes;
                        drop(memory.usage);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use rivero_plugin_api::Packaging;

    use super::*;

    fn pictures(width: usize) -> Format {
        let raw = Format {
            packaging: Packaging::Raw,
            ..Format::rtp("I420", 0, 0)
        };
        raw.with("height", "2").with("width", width.to_string())
    }

    fn vp8() -> Format {
        Format::rtp("VP8", 90_000, 0)
    }

    #[test]
    fn equal_formats_have_one_number() {
        let formats = Formats::default();
        let vp8 = formats.hold(Format::rtp("vp8", 90_000, 0)).unwrap();
        let h264 = Format::rtp("H264", 90_000, 0).with("packetization-mode", "1");
        let h264 = formats.hold(h264).unwrap();
        assert_eq!(formats.hold(Format::rtp("VP8", 90_000, 0)).unwrap(), vp8);
        assert_ne!(vp8, h264);
        assert_eq!(formats.get(h264.number()).unwrap().encoding, "H264");
        assert_eq!(formats.get(0), None);
        assert_eq!(formats.get(99), None);
    }

    #[test]
    fn a_format_ends_with_its_last_use_and_its_number_is_not_given_again() {
        let formats = Formats::default();
        let first = formats.hold(vp8()).unwrap();
        let second = formats.hold_number(first.number()).unwrap();
        let number = first.number();
        drop(first);
        assert_eq!(formats.get(number).as_deref(), Some(&vp8()));
        drop(second);
        assert_eq!(formats.get(number), None);
        assert!(formats.is_empty() && formats.hold_number(number).is_none());
        assert_ne!(formats.hold(vp8()).unwrap().number(), number);
    }

    #[test]
    fn a_module_that_asks_for_formats_without_end_forgets_only_its_own() {
        let formats = Formats::default();
        let (hostile, other) = (RecentFormats::default(), RecentFormats::default());
        let camera = other.number(&formats, vp8());
        let shared = [&hostile, &other].map(|module| module.number(&formats, pictures(1)));
        assert_eq!(shared[0], shared[1]);
        for width in 10..200_000 {
            let number = hostile.number(&formats, pictures(width));
            assert_eq!(formats.get(number).as_deref(), Some(&pictures(width)));
        }
        assert_eq!(formats.len(), RecentFormats::COUNT + 2);
        assert_eq!(other.number(&formats, vp8()), camera);
        assert_eq!(formats.get(shared[0]).as_deref(), Some(&pictures(1)));
        assert_ne!(other.number(&formats, Format::rtp("VP9", 90_000, 0)), 0);
        drop(hostile);
        assert_eq!(formats.len(), 3);
    }

    #[test]
    fn a_size_that_is_asked_for_again_keeps_its_number() {
        let (formats, recent) = (Formats::default(), RecentFormats::default());
        let camera = recent.number(&formats, pictures(640));
        let left = recent.number(&formats, pictures(641));
        for width in 1_000..1_000 + 3 * RecentFormats::COUNT {
            recent.number(&formats, pictures(width));
            if width % 1_000 == 0 {
                assert_eq!(recent.number(&formats, pictures(640)), camera);
            }
        }
        assert_eq!(formats.get(left), None, "nobody asked for it");
        let again = recent.number(&formats, pictures(641));
        assert_ne!(
            again, left,
            "packets with the old number may be on their way"
        );
    }

    #[test]
    fn long_texts_are_bounded_one_by_one_and_together() {
        let (formats, recent) = (Formats::default(), RecentFormats::default());
        let aac = |number: usize, length| {
            let config = "0".repeat(length) + &number.to_string();
            Format::rtp("AAC", 48_000, 2).with("config", config)
        };
        assert_eq!(recent.number(&formats, aac(0, LONGEST)), 0);
        for number in 0..1_000 {
            assert_ne!(recent.number(&formats, aac(number, LONGEST / 2)), 0);
        }
        assert!(formats.len() <= 2 * RecentFormats::BYTES / LONGEST);
    }

    #[test]
    fn numbers_that_mean_something_else_are_not_given() {
        let formats = Formats::default();
        let _first = formats.hold(pictures(1)).unwrap();
        lock(&formats.0).latest = ANY_FORMAT - 1;
        let second = formats.hold(pictures(2)).unwrap();
        assert_eq!(second.number(), 2, "neither any format, nor none, nor 1");
    }
}
