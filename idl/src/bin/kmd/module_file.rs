//! What the file of a module says of itself, without running it.

use crate::Failure;
use object::{
    Architecture, Endianness, Object, ObjectKind, ObjectSection, ObjectSymbol,
    elf::{DF_TEXTREL, DT_FLAGS, DT_NEEDED, DT_RPATH, DT_RUNPATH, DT_TEXTREL, PF_X, PT_GNU_STACK},
    read::elf::{ElfFile64, ProgramHeader},
};
use rivero_idl::Setting;
use rivero_plugin_api::{
    Conversion,
    abi::{
        abi_stable::library::ROOT_MODULE_LOADER_NAME,
        section::{self, SECTION},
    },
};
use serde::Deserialize;
use serde_json::Value;
use std::fs;
use std::path::Path;

/// What `build.rs` wrote about a module.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct Manifest {
    pub(crate) name: String,
    pub(crate) version: String,
    #[serde(default)]
    pub(crate) classes: Vec<String>,
    #[serde(default)]
    pub(crate) descriptor: Option<Value>,
    #[serde(default)]
    pub(crate) settings: Vec<Setting>,
    #[serde(default)]
    pub(crate) conversions: Vec<Conversion>,
    #[serde(default)]
    pub(crate) inline: bool,
    #[serde(default)]
    pub(crate) built_with: Option<String>,
}

/// A file that may be a module.
#[derive(Debug, Default)]
pub(crate) struct ModuleFile {
    /// Bytes.
    pub(crate) size: usize,
    /// Why the file is no library that this machine could load.
    pub(crate) foreign: Option<String>,
    /// How many sections with a manifest it has.
    pub(crate) sections: usize,
    /// Bytes of the first one.
    pub(crate) section_size: usize,
    /// Why that cannot be read.
    pub(crate) unreadable: Option<String>,
    /// Major and minor version of the ABI that it speaks.
    pub(crate) abi: Option<(u16, u16)>,
    /// Its panics unwind.
    pub(crate) unwinds: bool,
    pub(crate) manifest: Option<Manifest>,
    /// The symbol by which the server finds what it exports.
    pub(crate) has_root: bool,
    /// Libraries that it needs.
    pub(crate) needs: Vec<String>,
    /// Where it looks for them first.
    pub(crate) run_path: Vec<String>,
    pub(crate) has_executable_stack: bool,
    pub(crate) has_text_relocations: bool,
}

impl ModuleFile {
    /// Reads a file; whatever is in it.
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        let unreadable = |error| Failure(Some(format!("{}: {error}", path.display())));
        Ok(Self::of(&fs::read(path).map_err(unreadable)?))
    }

    fn of(content: &[u8]) -> Self {
        let mut file = Self {
            size: content.len(),
            ..Self::default()
        };
        match ElfFile64::<Endianness, _>::parse(content) {
            Ok(elf) => {
                file.foreign = foreign(&elf);
                file.read_section(&elf);
                if let Err(error) = file.read_dynamic(&elf) {
                    file.foreign.get_or_insert(error.to_string());
                }
            }
            Err(error) => file.foreign = Some(error.to_string()),
        }
        file
    }

    fn read_section(&mut self, elf: &ElfFile64<'_, Endianness>) {
        let sections: Vec<_> = elf
            .sections()
            .filter(|section| section.name() == Ok(SECTION))
            .collect();
        self.sections = sections.len();
        let Some(data) = sections.first().and_then(|section| section.data().ok()) else {
            return;
        };
        self.section_size = data.len();
        match section::decode(data) {
            Ok(section) => {
                self.abi = Some((section.major, section.minor));
                self.unwinds = section.unwinds;
                match serde_json::from_slice(section.manifest) {
                    Ok(manifest) => self.manifest = Some(manifest),
                    Err(error) => self.unreadable = Some(error.to_string()),
                }
            }
            Err(error) => self.unreadable = Some(error.to_string()),
        }
    }

    fn read_dynamic(&mut self, elf: &ElfFile64<'_, Endianness>) -> Result<(), object::Error> {
        let mut symbols = elf.dynamic_symbols();
        self.has_root = symbols.any(|symbol| {
            symbol.is_definition() && symbol.name_bytes() == Ok(ROOT_MODULE_LOADER_NAME.as_bytes())
        });
        let (mut run_path, mut rpath) = (None, None);
        let table = elf.elf_dynamic_table()?;
        for entry in &table {
            let text = || Some(String::from_utf8_lossy(table.string(entry).ok()?).into_owned());
            match entry.tag {
                DT_NEEDED => self.needs.extend(text()),
                DT_RUNPATH => run_path = text(),
                DT_RPATH => rpath = text(),
                DT_TEXTREL => self.has_text_relocations = true,
                DT_FLAGS => self.has_text_relocations |= entry.val & DF_TEXTREL.0 != 0,
                _ => {}
            }
        }
        // As ld.so(8): the older of the two counts only without the newer one.
        let places = run_path.or(rpath).unwrap_or_default();
        self.run_path = places.split_terminator(':').map(str::to_owned).collect();
        let endian = elf.endian();
        let mut headers = elf.elf_program_headers().iter();
        self.has_executable_stack = headers.any(|header| {
            header.p_type(endian) == PT_GNU_STACK && (header.p_flags(endian) & PF_X).0 != 0
        });
        Ok(())
    }
}

/// Whether a path leads to a library rather than to a descriptor.
pub(crate) fn is_library(path: &Path) -> bool {
    let begins_like_one = || {
        let mut magic = [0; 4];
        let read = fs::File::open(path)
            .and_then(|mut file| std::io::Read::read_exact(&mut file, &mut magic));
        read.is_ok() && magic == *b"\x7fELF"
    };
    path.extension().is_some_and(|extension| extension == "so")
        || path.is_file() && begins_like_one()
}

fn foreign(elf: &ElfFile64<'_, Endianness>) -> Option<String> {
    let own = match std::env::consts::ARCH {
        "x86_64" => Architecture::X86_64,
        "aarch64" => Architecture::Aarch64,
        "riscv64" => Architecture::Riscv64,
        _ => Architecture::Unknown,
    };
    if elf.architecture() != own {
        return Some(format!("it is for {:?}", elf.architecture()));
    }
    (elf.kind() != ObjectKind::Dynamic).then(|| format!("its ELF header says {:?}", elf.kind()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_module_says_why() {
        assert!(ModuleFile::of(b"").foreign.is_some());
        let own = fs::read(std::env::current_exe().unwrap()).unwrap();
        let program = ModuleFile::of(&own);
        assert_eq!((program.sections, program.has_root), (0, false));
        assert!(program.needs.iter().any(|name| name.starts_with("libc.so")));
        for length in [10, 64, 1000, own.len() / 2] {
            assert!(ModuleFile::of(&own[..length]).manifest.is_none());
        }
    }
}
