//! Simulcast by RID (RFC 8851, RFC 8853).

use std::{fmt, str::FromStr};

/// Direction of a restriction identifier, seen from the writer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RidDirection {
    /// The writer sends this encoding.
    Send,
    /// The writer receives this encoding.
    Receive,
}

impl fmt::Display for RidDirection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Send => "send",
            Self::Receive => "recv",
        })
    }
}

/// `a=rid:<id> <direction> [<restrictions>]` (RFC 8851 §4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rid {
    /// Letters, digits, `-` and `_`; travels in the rtp-stream-id header extension.
    pub id: String,
    /// Who sends it.
    pub direction: RidDirection,
    /// Restrictions as written (`pt=…`, `max-width=…`), empty when there are none.
    pub restrictions: String,
}

impl FromStr for Rid {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut fields = text.splitn(3, ' ');
        let id = fields.next().filter(|id| is_rid(id)).ok_or(())?;
        let direction = match fields.next() {
            Some("send") => RidDirection::Send,
            Some("recv") => RidDirection::Receive,
            _ => return Err(()),
        };
        Ok(Self {
            id: id.to_owned(),
            direction,
            restrictions: fields.next().unwrap_or_default().to_owned(),
        })
    }
}

impl fmt::Display for Rid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.id, self.direction)?;
        if self.restrictions.is_empty() {
            return Ok(());
        }
        write!(f, " {}", self.restrictions)
    }
}

fn is_rid(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

/// One encoding of a simulcast list; `~` in front means that it starts paused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SimulcastStream {
    /// The `a=rid` that describes it.
    pub rid: String,
    /// Whether it starts paused.
    pub paused: bool,
}

/// `a=simulcast:[send <list>] [recv <list>]` (RFC 8853 §5.1).
///
/// A list holds simulcast streams, each a list of alternatives of which one is used.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Simulcast {
    /// Streams that the writer sends.
    pub send: Vec<Vec<SimulcastStream>>,
    /// Streams that the writer receives.
    pub receive: Vec<Vec<SimulcastStream>>,
}

impl Simulcast {
    /// Receives the given encodings, one stream each.
    pub fn receiving<'a>(rids: impl IntoIterator<Item = &'a str>) -> Self {
        let stream = |rid: &str| SimulcastStream {
            rid: rid.to_owned(),
            paused: false,
        };
        Self {
            send: Vec::new(),
            receive: rids.into_iter().map(|rid| vec![stream(rid)]).collect(),
        }
    }
}

impl FromStr for Simulcast {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut simulcast = Self::default();
        let mut words = text.split_ascii_whitespace();
        while let Some(direction) = words.next() {
            let list = match direction {
                "send" => &mut simulcast.send,
                "recv" => &mut simulcast.receive,
                _ => return Err(()),
            };
            if !list.is_empty() {
                return Err(());
            }
            *list = stream_list(words.next().ok_or(())?).ok_or(())?;
        }
        if simulcast == Self::default() {
            return Err(());
        }
        Ok(simulcast)
    }
}

fn stream_list(text: &str) -> Option<Vec<Vec<SimulcastStream>>> {
    let alternatives = |text: &str| text.split(',').map(stream).collect::<Option<Vec<_>>>();
    text.split(';').map(alternatives).collect()
}

fn stream(text: &str) -> Option<SimulcastStream> {
    let (rid, paused) = match text.strip_prefix('~') {
        Some(rid) => (rid, true),
        None => (text, false),
    };
    is_rid(rid).then(|| SimulcastStream {
        rid: rid.to_owned(),
        paused,
    })
}

impl fmt::Display for Simulcast {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for (direction, list) in [("send", &self.send), ("recv", &self.receive)] {
            if list.is_empty() {
                continue;
            }
            write!(f, "{separator}{direction} ")?;
            write_list(f, list)?;
            separator = " ";
        }
        Ok(())
    }
}

fn write_list(f: &mut fmt::Formatter<'_>, list: &[Vec<SimulcastStream>]) -> fmt::Result {
    for (position, alternatives) in list.iter().enumerate() {
        if position > 0 {
            f.write_str(";")?;
        }
        for (position, stream) in alternatives.iter().enumerate() {
            if position > 0 {
                f.write_str(",")?;
            }
            let pause = if stream.paused { "~" } else { "" };
            write!(f, "{pause}{}", stream.rid)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn simulcast_lists_round_trip() {
        for text in ["send h;m;l", "send 1;~4,2 recv c", "recv a"] {
            let simulcast: Simulcast = text.parse().unwrap();
            assert_eq!(simulcast.to_string(), text);
        }
        for text in [
            "",
            "send",
            "up h",
            "send h;;l",
            "send rid=h",
            "send h send l",
        ] {
            assert!(text.parse::<Simulcast>().is_err(), "{text}");
        }
    }

    #[test]
    fn rids_round_trip() {
        for text in ["h send", "l recv pt=96;max-width=320"] {
            let rid: Rid = text.parse().unwrap();
            assert_eq!(rid.to_string(), text);
        }
        for text in ["", "h", "h both", "h/1 send"] {
            assert!(text.parse::<Rid>().is_err(), "{text}");
        }
    }
}
