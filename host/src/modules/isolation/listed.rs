//! `modules.list`: the modules that whoever installed them vouches for, by their contents.
//!
//! It lies beside the modules and is what `sha256sum *.so > modules.list` writes. It counts if it is root's and nobody
//! else may write it: who can change it could as well name any file in it.

use std::{
    fs::File,
    io::{self, Read},
    os::unix::fs::{FileExt, MetadataExt},
    path::Path,
};

use sha2::{Digest, Sha256};

use crate::regular_file;

const NAME: &str = "modules.list";
/// Bytes of a list at most.
const LIMIT: u64 = 1 << 20;
/// Permissions to write of group and others.
const OTHERS_WRITE: u32 = 0o022;

/// Whether the list beside `file` names this content.
pub(super) fn is_listed(file: &Path, content: &File) -> bool {
    let Some(text) = list_beside(file) else {
        return false;
    };
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    digest(content).is_ok_and(|digest| names(&text, &name, &digest))
}

/// The list beside a file, if it counts.
fn list_beside(file: &Path) -> Option<String> {
    let mut list = regular_file::open(&file.with_file_name(NAME)).ok()?;
    // Of what was opened, whatever has the name by now.
    let metadata = list.metadata().ok()?;
    let is_roots = metadata.uid() == 0 && metadata.mode() & OTHERS_WRITE == 0;
    if !is_roots || metadata.len() > LIMIT {
        return None;
    }
    let mut text = String::new();
    { &mut list }.take(LIMIT).read_to_string(&mut text).ok()?;
    Some(text)
}

/// In lower-case hexadecimal digits.
fn digest(content: &File) -> io::Result<String> {
    let mut hash = Sha256::new();
    let mut chunk = vec![0; 64 * 1024];
    let mut place = 0;
    loop {
        // Another descriptor of the same copy may be read at the same time.
        let read = content.read_at(&mut chunk, place)?;
        if read == 0 {
            let digest = hash.finalize();
            return Ok(digest.iter().map(|byte| format!("{byte:02x}")).collect());
        }
        hash.update(chunk.get(..read).unwrap_or_default());
        place += read as u64;
    }
}

/// Whether a line is about a file of this name with this content: the digest, a blank, a blank or `*`, the name.
fn names(list: &str, name: &str, digest: &str) -> bool {
    list.lines().any(|line| {
        let Some((listed, rest)) = line.split_once(' ') else {
            return false;
        };
        let listed_name = rest.strip_prefix([' ', '*']);
        listed.eq_ignore_ascii_case(digest) && listed_name == Some(name)
    })
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_line_names_a_content_and_a_file() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"abc").unwrap();
        let digest = digest(&file).unwrap();
        // FIPS 180-4's example.
        let known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(digest, known);
        let list = format!("{known}  a.so\n{}  b.so\n", known.replace('b', "c"));
        assert!(names(&list, "a.so", &digest) && names(&format!("{known} *a.so"), "a.so", &digest));
        assert!(!names(&list, "b.so", &digest) && !names(&list, "so", &digest));
        assert!(!names("", "a.so", &digest) && !names(known, "", &digest));
    }

    #[test]
    fn a_list_that_others_may_write_does_not_count() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        let (module, list) = (directory.path().join("a.so"), directory.path().join(NAME));
        std::fs::write(&module, "abc").unwrap();
        let content = File::open(&module).unwrap();
        assert!(!is_listed(&module, &content));
        std::fs::write(&list, format!("{}  a.so\n", digest(&content).unwrap())).unwrap();
        let allow = |mode| std::fs::set_permissions(&list, std::fs::Permissions::from_mode(mode));
        allow(0o646).unwrap();
        assert!(!is_listed(&module, &content));
        allow(0o644).unwrap();
        let is_root = std::fs::metadata(&list).unwrap().uid() == 0;
        assert_eq!(is_listed(&module, &content), is_root);
    }
}
