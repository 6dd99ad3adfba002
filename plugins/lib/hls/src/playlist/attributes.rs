//! Attribute lists (RFC 8216 §4.2): `NAME=value,NAME="quoted, value"`.

/// The attributes of a tag.
pub(super) struct Attributes<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Attributes<'a> {
    /// Reads as many as make sense; what follows the first that makes none is left out.
    pub(super) fn parse(text: &'a str) -> Self {
        let mut found = Vec::new();
        let mut rest = text;
        while let Some((name, after)) = rest.split_once('=') {
            let (value, next) = match after.trim_start().strip_prefix('"') {
                Some(quoted) => {
                    let Some((value, next)) = quoted.split_once('"') else {
                        break;
                    };
                    (value, next.split_once(',').map_or("", |(_, next)| next))
                }
                None => match after.split_once(',') {
                    Some((value, next)) => (value.trim(), next),
                    None => (after.trim(), ""),
                },
            };
            found.push((name.trim(), value));
            rest = next;
        }
        Self(found)
    }

    pub(super) fn get(&self, name: &str) -> Option<&'a str> {
        let found = self.0.iter().find(|(own, _)| *own == name);
        found.map(|(_, value)| *value)
    }

    /// `YES` or nothing (RFC 8216 §4.3.4.1).
    pub(super) fn is_set(&self, name: &str) -> bool {
        self.get(name) == Some("YES")
    }

    pub(super) fn number<T: std::str::FromStr>(&self, name: &str) -> Option<T> {
        self.get(name)?.parse().ok()
    }

    /// `1280x720`
    pub(super) fn resolution(&self, name: &str) -> Option<(u32, u32)> {
        let (width, height) = self.get(name)?.split_once('x')?;
        Some((width.parse().ok()?, height.parse().ok()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_values_may_contain_commas() {
        let list = Attributes::parse(
            r#"BANDWIDTH=1280000, CODECS="avc1.4d,mp4a.40.2",RESOLUTION=640x360,DEFAULT=YES"#,
        );
        assert_eq!(list.number("BANDWIDTH"), Some(1_280_000u64));
        assert_eq!(list.get("CODECS"), Some("avc1.4d,mp4a.40.2"));
        assert_eq!(list.resolution("RESOLUTION"), Some((640, 360)));
        assert!(list.is_set("DEFAULT") && !list.is_set("AUTOSELECT"));
    }

    #[test]
    fn what_makes_no_sense_ends_the_list() {
        assert_eq!(Attributes::parse("A=1,B=\"x").get("A"), Some("1"));
        assert_eq!(Attributes::parse("A=1,B=\"x").get("B"), None);
        assert_eq!(Attributes::parse("").get("A"), None);
        assert_eq!(Attributes::parse("=,=").get("A"), None);
    }
}
