//! Formats by number: packets carry the number, pads compare it.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use rivero_plugin_api::Format;

/// The formats that this process has met. Numbers begin at 1 and are never reused.
#[derive(Default)]
pub struct Formats(Mutex<Table>);

#[derive(Default)]
struct Table {
    numbers: HashMap<Format, u32>,
    formats: Vec<Format>,
}

/// More distinct formats than any server meets; beyond it nothing matches any
/// more instead of memory growing.
const LIMIT: usize = 65_536;

impl Formats {
    /// The number of a format, the same for equal ones. 0 when the table is full.
    pub fn id(&self, format: Format) -> u32 {
        let mut table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(number) = table.numbers.get(&format) {
            return *number;
        }
        if table.formats.len() >= LIMIT {
            return 0;
        }
        table.formats.push(format.clone());
        let number = u32::try_from(table.formats.len()).unwrap_or(0);
        table.numbers.insert(format, number);
        number
    }

    /// The format behind a number.
    pub fn get(&self, number: u32) -> Option<Format> {
        let table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        table
            .formats
            .get(usize::try_from(number).ok()?.checked_sub(1)?)
            .cloned()
    }

    /// The format in words, for logs and errors.
    pub(crate) fn describe(&self, number: u32) -> String {
        self.get(number)
            .map_or_else(|| "nothing".to_owned(), |format| format.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
