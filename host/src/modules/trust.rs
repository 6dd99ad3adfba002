//! Who may write what the server runs.
//!
//! Whoever can change a module's file, or put another one into its directory, runs code as the
//! server's user. So both have to belong to root or to that user, and nobody else may write them.
//! A group may, if it is root's or has nobody else in it, as the group that many systems make for
//! each user.

use std::{
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use rustix::process::geteuid;

/// Permission to write of a file's group, and of everybody.
const GROUP_WRITES: u32 = 0o020;
const OTHERS_WRITE: u32 = 0o002;

/// Why a module's file is not trusted, or `None`. Looked at are the file that the name leads to,
/// its directory, and those from `root`, a modules directory, down to the name.
pub(super) fn distrust(file: &Path, root: &Path) -> Option<String> {
    places(file, root).iter().find_map(|place| {
        let metadata = fs::metadata(place).ok()?;
        let who = who_may_write(metadata.uid(), metadata.gid(), metadata.mode(), &Users::read)?;
        Some(format!(
            "{who} may write {}: only root and the server's user should (--allow-writable-modules permits it, for development)",
            place.display()
        ))
    })
}

fn places(file: &Path, root: &Path) -> Vec<PathBuf> {
    let real = fs::canonicalize(file).unwrap_or_else(|_| file.to_owned());
    let above = file.ancestors().skip(1);
    let below_root = above.take_while(|directory| directory.starts_with(root));
    let mut places: Vec<PathBuf> = below_root.map(Path::to_owned).collect();
    places.extend(real.parent().map(Path::to_owned));
    places.push(real);
    places
}

/// Somebody else who may write something with this owner, group and mode.
fn who_may_write(
    owner: u32,
    group: u32,
    mode: u32,
    users: &dyn Fn() -> io::Result<Users>,
) -> Option<String> {
    let own = geteuid().as_raw();
    if owner != 0 && owner != own {
        return Some(format!("its owner, user {owner},"));
    }
    if mode & OTHERS_WRITE != 0 {
        return Some("every user".to_owned());
    }
    let is_private = || users().is_ok_and(|users| users.are_alone_in(group, &[0, own]));
    if mode & GROUP_WRITES != 0 && group != 0 && !is_private() {
        return Some(format!("group {group}"));
    }
    None
}

/// The system's users and groups as far as they are in its files.
struct Users {
    /// Name, number and group.
    users: Vec<(String, u32, u32)>,
    /// Number, and the names of those who are in it besides.
    groups: Vec<(u32, Vec<String>)>,
}

impl Users {
    fn read() -> io::Result<Self> {
        let (users, groups) = (
            fs::read_to_string("/etc/passwd")?,
            fs::read_to_string("/etc/group")?,
        );
        Ok(Self::parse(&users, &groups))
    }

    fn parse(users: &str, groups: &str) -> Self {
        let user = |line: &str| {
            let mut fields = line.split(':');
            let name = fields.next()?.to_owned();
            let number = fields.nth(1)?.parse().ok()?;
            Some((name, number, fields.next()?.parse().ok()?))
        };
        let group = |line: &str| {
            let mut fields = line.split(':').skip(2);
            let number = fields.next()?.parse().ok()?;
            let members = fields.next()?.split(',').filter(|name| !name.is_empty());
            Some((number, members.map(str::to_owned).collect()))
        };
        Self {
            users: users.lines().filter_map(user).collect(),
            groups: groups.lines().filter_map(group).collect(),
        }
    }

    /// Whether the group is known, and has nobody in it but these users.
    fn are_alone_in(&self, group: u32, allowed: &[u32]) -> bool {
        let is_other = |(_, number, _): &&(String, u32, u32)| !allowed.contains(number);
        let mut others = self.users.iter().filter(is_other);
        let known: Vec<_> = { self.groups.iter() }
            .filter(|(number, _)| *number == group)
            .collect();
        let is_member = |name: &String| {
            let of_name = { self.users.iter() }.find(|(known, _, _)| known == name);
            of_name.is_some_and(|(_, number, _)| allowed.contains(number))
        };
        !known.is_empty()
            && known
                .iter()
                .all(|(_, members)| members.iter().all(is_member))
            && others.all(|(_, _, first)| *first != group)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const USERS: &str = "root:x:0:0::/root:/bin/sh\nann:x:1000:1000::/:/\nben:x:1001:1001::/:/\n";
    const GROUPS: &str =
        "root:x:0:\nann:x:1000:\nben:x:1001:ann\nstaff:x:50:ann,ben\nonly:x:60:ann\n";

    #[test]
    fn a_group_of_ones_own_is_trusted() {
        let users = Users::parse(USERS, GROUPS);
        for (group, alone) in [
            (1000, true),
            (60, true),
            (1001, false),
            (50, false),
            (77, false),
        ] {
            assert_eq!(users.are_alone_in(group, &[0, 1000]), alone, "{group}");
        }
    }

    #[test]
    fn others_who_may_write_are_named() {
        let own = geteuid().as_raw();
        let users = || Ok(Users::parse(USERS, GROUPS));
        let who = |owner, group, mode| who_may_write(owner, group, mode, &users);
        assert_eq!(who(own, 50, 0o755), None);
        assert_eq!(who(0, 0, 0o775), None);
        assert_eq!(who(own, 50, 0o775).unwrap(), "group 50");
        assert_eq!(who(own, 0, 0o757).unwrap(), "every user");
        assert_eq!(
            who(own + 4242, 0, 0o700).unwrap(),
            format!("its owner, user {},", own + 4242)
        );
    }

    #[test]
    fn the_file_its_directory_and_those_up_to_the_root_are_looked_at() {
        let home = tempfile::tempdir().unwrap();
        let (root, sub) = (home.path().join("modules"), home.path().join("modules/sub"));
        fs::create_dir_all(&sub).unwrap();
        let file = sub.join("x.so");
        fs::write(&file, "").unwrap();
        let set = |place: &Path, mode| {
            fs::set_permissions(place, fs::Permissions::from_mode(mode)).unwrap();
        };
        for place in [&root, &sub, &file] {
            set(place, 0o755);
        }
        assert_eq!(distrust(&file, &root), None);
        for place in [&root, &sub, &file] {
            set(place, 0o777);
            let reason = distrust(&file, &root).unwrap();
            let name = place.display().to_string();
            assert!(
                reason.starts_with(&format!("every user may write {name}")),
                "{reason}"
            );
            set(place, 0o755);
        }
        set(home.path(), 0o777);
        assert_eq!(
            distrust(&file, &root),
            None,
            "above the root is the operator's"
        );
        let link = root.join("link.so");
        std::os::unix::fs::symlink(&file, &link).unwrap();
        set(&sub, 0o777);
        assert!(
            distrust(&link, &root).is_some(),
            "where a link leads counts"
        );
    }
}
