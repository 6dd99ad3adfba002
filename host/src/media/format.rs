//! Formats by number: packets carry the number, pads compare it.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use rivero_plugin_api::{Format, Packaging, abi::traits::ANY_FORMAT};

/// The formats that this process has met, by numbers from 1 on.
///
/// Raw pictures have a format for each size, and a peer may send any number of sizes. Those that
/// no pad and no conversion has as its own format are forgotten when nobody has asked for them for
/// long: whoever makes such packets asks for the number again with each of them, and gets another
/// one when the format had been forgotten.
#[derive(Default)]
pub struct Formats(Mutex<Table>);

#[derive(Default)]
struct Table {
    numbers: HashMap<Arc<Format>, u32>,
    formats: HashMap<u32, Entry>,
    /// Formats that may be forgotten; the first one is next, unless it was used.
    passing: VecDeque<u32>,
    /// The number that was given last.
    latest: u32,
}

struct Entry {
    format: Arc<Format>,
    /// Asked for since it was entered, or since its turn to be forgotten.
    used: bool,
}

/// Formats that stay: more than any server meets; beyond it nothing matches any
/// more instead of memory growing.
const LIMIT: usize = 65_536;
/// Formats that may be forgotten. Packets wait for at most some hundred milliseconds, in which a
/// machine decodes fewer pictures of new sizes.
const PASSING: usize = 8_192;

impl Formats {
    /// The number of a format, the same for equal ones as long as they are known. 0 when the table
    /// is full.
    pub fn id(&self, format: Format) -> u32 {
        self.table().id(format)
    }

    /// The format behind a number.
    pub fn get(&self, number: u32) -> Option<Format> {
        let mut table = self.table();
        let entry = table.formats.get_mut(&number)?;
        entry.used = true;
        Some(Format::clone(&entry.format))
    }

    /// A pad or a conversion has this format: it is not forgotten any more.
    pub(crate) fn keep(&self, number: u32) {
        self.table().keep(number);
    }

    /// The number of a format that is not forgotten any more.
    pub(crate) fn kept_id(&self, format: Format) -> u32 {
        let mut table = self.table();
        let number = table.id(format);
        table.keep(number);
        number
    }

    /// The format in words, for logs and errors.
    pub(crate) fn describe(&self, number: u32) -> String {
        self.get(number)
            .map_or_else(|| "nothing".to_owned(), |format| format.to_string())
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn id(&mut self, format: Format) -> u32 {
        if let Some(number) = self.numbers.get(&format) {
            if let Some(entry) = self.formats.get_mut(number) {
                entry.used = true;
            }
            return *number;
        }
        let passes = passes(&format);
        if passes && self.passing.len() >= PASSING {
            self.forget_one();
        }
        if !passes && self.kept() >= LIMIT {
            return 0;
        }
        let number = self.free_number();
        if passes {
            self.passing.push_back(number);
        }
        let format = Arc::new(format);
        self.numbers.insert(format.clone(), number);
        let used = false;
        self.formats.insert(number, Entry { format, used });
        number
    }

    fn kept(&self) -> usize {
        self.formats.len().saturating_sub(self.passing.len())
    }

    fn keep(&mut self, number: u32) {
        let may_pass = |entry: &Entry| passes(&entry.format);
        if self.formats.get(&number).is_some_and(may_pass) && self.kept() < LIMIT {
            self.passing.retain(|passing| *passing != number);
        }
    }

    fn forget_one(&mut self) {
        while let Some(number) = self.passing.pop_front() {
            if let Some(entry) = self.formats.get_mut(&number)
                && std::mem::take(&mut entry.used)
            {
                self.passing.push_back(number);
                continue;
            }
            if let Some(entry) = self.formats.remove(&number) {
                self.numbers.remove(&entry.format);
            }
            return;
        }
    }

    /// A number is used again only after all others.
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

/// Whether it is a format of packets rather than of pads: raw pictures of one size.
fn passes(format: &Format) -> bool {
    format.packaging == Packaging::Raw && !format.parameters.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pictures(width: usize) -> Format {
        let raw = Format {
            packaging: Packaging::Raw,
            ..Format::rtp("I420", 0, 0)
        };
        raw.with("height", "2").with("width", width.to_string())
    }

    #[test]
    fn equal_formats_have_one_number() {
        let formats = Formats::default();
        let vp8 = formats.id(Format::rtp("vp8", 90_000, 0));
        let h264 = formats.id(Format::rtp("H264", 90_000, 0).with("packetization-mode", "1"));
        assert_eq!(formats.id(Format::rtp("VP8", 90_000, 0)), vp8);
        assert_ne!(vp8, h264);
        assert_eq!(formats.get(h264).unwrap().encoding, "H264");
        assert_eq!(formats.get(0), None);
        assert_eq!(formats.get(99), None);
    }

    #[test]
    fn sizes_without_end_leave_room_for_all_else() {
        let formats = Formats::default();
        let vp8 = formats.id(Format::rtp("VP8", 90_000, 0));
        for width in 0..LIMIT + 10 {
            let number = formats.id(pictures(width));
            assert_eq!(formats.get(number), Some(pictures(width)));
        }
        assert_eq!(formats.get(vp8), Some(Format::rtp("VP8", 90_000, 0)));
        assert_ne!(formats.id(Format::rtp("VP9", 90_000, 0)), 0);
        assert_eq!(formats.table().formats.len(), PASSING + 2);
        assert_eq!(formats.table().numbers.len(), PASSING + 2);
    }

    #[test]
    fn a_size_that_is_in_use_keeps_its_number() {
        let formats = Formats::default();
        let camera = formats.id(pictures(640));
        let left = formats.id(pictures(641));
        for width in 1_000..1_000 + 3 * PASSING {
            formats.id(pictures(width));
            if width % 1_000 == 0 {
                assert_eq!(formats.id(pictures(640)), camera);
            }
        }
        assert_eq!(formats.get(camera), Some(pictures(640)));
        assert_eq!(formats.get(left), None, "nobody asked for it");
        let again = formats.id(pictures(641));
        assert_ne!(
            again, left,
            "packets with the old number may be on their way"
        );
        assert_eq!(formats.get(again), Some(pictures(641)));
    }

    #[test]
    fn what_a_pad_has_is_not_forgotten() {
        let formats = Formats::default();
        let accepted = formats.id(pictures(640));
        formats.keep(accepted);
        formats.keep(0);
        let output = formats.kept_id(pictures(320));
        for width in 1_000..1_000 + 3 * PASSING {
            formats.id(pictures(width));
        }
        assert_eq!(formats.get(accepted), Some(pictures(640)));
        assert_eq!(formats.id(pictures(320)), output);
    }

    #[test]
    fn numbers_that_mean_something_else_are_not_given() {
        let formats = Formats::default();
        formats.id(pictures(1));
        formats.table().latest = ANY_FORMAT - 1;
        assert_eq!(
            formats.id(pictures(2)),
            2,
            "neither any format, nor none, nor 1"
        );
    }
}
