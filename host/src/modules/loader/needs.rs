//! Which other libraries a library needs, and which of them lie beside it.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
};

use object::{
    Endianness,
    elf::{DT_NEEDED, DT_RPATH, DT_RUNPATH, DT_SONAME},
    read::{ReadCache, elf::ElfFile64},
};

use crate::regular_file;

/// The libraries of the C compiler's and the C library's own: they keep no addresses of what a
/// library passes to them, or give them back when it is closed.
const OF_THE_SYSTEM: [&str; 9] = [
    "ld-linux",
    "libc.so",
    "libc.musl",
    "libdl.so",
    "libgcc_s.so",
    "libm.so",
    "libpthread.so",
    "librt.so",
    "libutil.so",
];

/// What the dynamic section says.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(in crate::modules) struct Needs {
    /// The name by which others need it.
    pub(in crate::modules) soname: Option<String>,
    /// The names of those that it needs.
    names: Vec<String>,
    /// Where it looks for them first, where that is beside itself: relative paths.
    beside: Vec<String>,
}

/// A library that lies where the one that needs it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::modules) struct Neighbour {
    pub(in crate::modules) name: String,
    pub(in crate::modules) file: PathBuf,
}

impl Needs {
    /// Of a library in this file.
    ///
    /// # Errors
    /// When it cannot be read, or is none.
    pub(in crate::modules) fn of(file: &Path) -> io::Result<Self> {
        Self::in_file(regular_file::open(file)?)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
    }

    fn in_file(file: File) -> Result<Self, object::Error> {
        let content = ReadCache::new(file);
        let elf = ElfFile64::<Endianness, _>::parse(&content)?;
        let table = elf.elf_dynamic_table()?;
        let (mut needs, mut runpath, mut rpath) = (Self::default(), None, None);
        for entry in &table {
            let text = || Some(String::from_utf8_lossy(table.string(entry).ok()?).into_owned());
            match entry.tag {
                DT_NEEDED => needs.names.extend(text()),
                DT_SONAME => needs.soname = text(),
                DT_RUNPATH => runpath = text(),
                DT_RPATH => rpath = text(),
                _ => {}
            }
        }
        // As ld.so(8): the older of the two counts only without the newer one.
        let path = runpath.or(rpath).unwrap_or_default();
        let beside = path.split(':').filter_map(|place| {
            let rest = place.strip_prefix("$ORIGIN");
            let rest = rest.or_else(|| place.strip_prefix("${ORIGIN}"))?;
            Some(rest.trim_start_matches('/').to_owned())
        });
        needs.beside = beside.collect();
        Ok(needs)
    }

    /// Those of the libraries it needs that lie beside it, if it lies in `directory`.
    pub(in crate::modules) fn neighbours(&self, directory: &Path) -> Vec<Neighbour> {
        let at = |name: &String| {
            let mut places = self
                .beside
                .iter()
                .map(|rest| directory.join(rest).join(name));
            let file = places.find(|file| file.is_file())?;
            Some(Neighbour {
                name: name.clone(),
                file,
            })
        };
        self.names.iter().filter_map(at).collect()
    }

    /// One that it needs beyond those of the system.
    pub(in crate::modules) fn foreign(&self) -> Option<&str> {
        let is_foreign =
            |name: &&String| !OF_THE_SYSTEM.iter().any(|known| name.starts_with(known));
        self.names.iter().find(is_foreign).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_this_program_needs_is_the_systems() {
        let needs = Needs::of(&std::env::current_exe().unwrap()).unwrap();
        assert!(needs.names.iter().any(|name| name.starts_with("libc.so")));
        assert_eq!(needs.foreign(), None, "{needs:?}");
        assert!(needs.neighbours(Path::new("/lib")).is_empty());
    }

    #[test]
    fn neighbours_are_looked_for_where_the_library_says() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory.path().join("deps")).unwrap();
        std::fs::write(directory.path().join("deps/liba.so.1"), "").unwrap();
        let needs = Needs {
            soname: None,
            names: vec!["liba.so.1".to_owned(), "libc.so.6".to_owned()],
            beside: vec![String::new(), "deps".to_owned()],
        };
        let found = needs.neighbours(directory.path());
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].file, directory.path().join("deps/liba.so.1"));
        assert_eq!(needs.foreign(), Some("liba.so.1"));
    }
}
