//! The states of an endpoint out of those of its transports.

/// Whether an endpoint is connected and whether media comes from its peer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Overall {
    /// There are transports, and all are connected: `connectionState`.
    pub connected: bool,
    /// Media comes by one of them at least: `mediaState`.
    pub media: bool,
}

impl Overall {
    /// Of transports, each with whether it is connected and whether media comes.
    pub fn of(transports: impl IntoIterator<Item = (bool, bool)>) -> Self {
        let mut transports = transports.into_iter().peekable();
        let some = transports.peek().is_some();
        let all = Self {
            connected: some,
            media: false,
        };
        transports.fold(all, |overall, (connected, media)| Self {
            connected: overall.connected && connected,
            media: overall.media || media,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_connected_by_all_and_has_media_by_one() {
        let of = |transports: &[(bool, bool)]| {
            let overall = Overall::of(transports.iter().copied());
            (overall.connected, overall.media)
        };
        assert_eq!(of(&[]), (false, false));
        assert_eq!(of(&[(true, false), (true, true)]), (true, true));
        assert_eq!(of(&[(true, false), (false, false)]), (false, false));
    }
}
