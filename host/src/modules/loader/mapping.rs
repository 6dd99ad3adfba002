//! Where libraries are mapped, as the kernel says.

use std::{fs, io, ops::Range};

/// Where the process's memory is listed.
const MAPS: &str = "/proc/self/maps";

/// One line of the list.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Region {
    pub(super) addresses: Range<usize>,
    pub(super) executable: bool,
    pub(super) writable: bool,
    /// Of the file, `[stack]` and the like, or nothing.
    pub(super) name: String,
}

/// All of them, by address.
///
/// # Errors
/// When there is no `/proc`.
pub(super) fn regions() -> io::Result<Vec<Region>> {
    let list = fs::read_to_string(MAPS)?;
    Ok(list.lines().filter_map(parse).collect())
}

/// `7f05-7f06 r-xp 00000000 00:01 5 /memfd:name (deleted)`
fn parse(line: &str) -> Option<Region> {
    let mut words = line.split_ascii_whitespace();
    let (begin, end) = words.next()?.split_once('-')?;
    let address = |text| usize::from_str_radix(text, 16).ok();
    let rights = words.next()?;
    let name: Vec<&str> = words.skip(3).collect();
    Some(Region {
        addresses: address(begin)?..address(end)?,
        executable: rights.contains('x'),
        writable: rights.contains('w'),
        name: name.join(" "),
    })
}

/// The memory of one library.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::modules) struct Mapping {
    name: String,
    /// From its first to its last byte.
    pub(in crate::modules) all: Range<usize>,
    /// Its code.
    pub(super) code: Vec<Range<usize>>,
}

impl Mapping {
    /// That of the file with this name; `None` where it is not mapped, or cannot be known.
    pub(super) fn of(name: &str) -> Option<Self> {
        let regions = regions().ok()?;
        let own: Vec<&Region> = { regions.iter() }
            .filter(|region| is_of(region, name))
            .collect();
        let (first, last) = (own.first()?, own.last()?);
        let code = own.iter().filter(|region| region.executable);
        Some(Self {
            name: name.to_owned(),
            all: first.addresses.start..last.addresses.end,
            code: code.map(|region| region.addresses.clone()).collect(),
        })
    }

    /// Whether an address lies in its code.
    pub(super) fn has_code_at(&self, address: usize) -> bool {
        self.code.iter().any(|range| range.contains(&address))
    }

    /// Whether it is there still.
    pub(super) fn is_mapped(&self) -> bool {
        regions().is_ok_and(|regions| regions.iter().any(|region| is_of(region, &self.name)))
    }

    /// Bytes of addresses that it takes.
    pub(in crate::modules) fn length(&self) -> usize {
        self.all.len()
    }
}

fn is_of(region: &Region, name: &str) -> bool {
    region.name.strip_suffix(" (deleted)") == Some(name) || region.name == name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_the_kernel_are_understood() {
        let line = "7f94e6d00000-7f94e6d26000 r-xp 00000000 fe:00 123   /memfd:a b (deleted)";
        let region = parse(line).unwrap();
        assert_eq!(region.addresses, 0x7f94_e6d0_0000..0x7f94_e6d2_6000);
        assert!(region.executable && !region.writable && is_of(&region, "/memfd:a b"));
        assert_eq!(parse("1-2 rw-p 0 0:0 0").unwrap().name, "");
        assert!(parse("no line").is_none());
    }

    #[test]
    fn own_code_is_found() {
        let here = own_code_is_found as fn() as usize;
        let executable = std::env::current_exe().unwrap().display().to_string();
        let own = Mapping::of(&executable).unwrap();
        assert!(own.has_code_at(here) && own.all.contains(&here) && own.is_mapped());
        assert!(Mapping::of("/memfd:nothing").is_none());
    }
}
