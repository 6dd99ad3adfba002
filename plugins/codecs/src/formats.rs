//! Formats by their numbers.

use rivero_gst::caps;
use rivero_plugin_api::{Error, Format, Result, host};
use rivero_rtp::payload::Parameters;

/// The format behind a number that the host gave.
pub(crate) fn format(id: u32) -> Result<Format> {
    host()
        .and_then(|host| host.format(id))
        .ok_or_else(|| Error::unexpected(format!("the host does not know its format {id}")))
}

/// The number of a format; 0 outside of a server.
pub(crate) fn id(format: &Format) -> u32 {
    host().map_or(0, |host| host.format_id(format))
}

/// What the payload format of an RTP format must know.
pub(crate) fn payload_parameters(format: &Format) -> Parameters {
    Parameters {
        clock_rate: format.clock_rate,
        channels: format.channels,
        non_interleaved: caps::parameter(format, "packetization-mode") != Some("0"),
        octet_align: caps::parameter(format, "octet-align") == Some("1"),
    }
}

/// The latest of a kind of value made from formats, which change rarely.
pub(crate) struct PerFormat<T> {
    latest: Option<(u32, T)>,
}

impl<T> Default for PerFormat<T> {
    fn default() -> Self {
        Self { latest: None }
    }
}

impl<T> PerFormat<T> {
    /// The value for `id`, and whether it is another format than the last time.
    pub(crate) fn get(
        &mut self,
        id: u32,
        make: impl FnOnce(&Format) -> Result<T>,
    ) -> Result<(&T, bool)> {
        let changed = self.latest.as_ref().is_none_or(|(latest, _)| *latest != id);
        if changed {
            self.latest = None;
            self.latest = Some((id, make(&format(id)?)?));
        }
        match &self.latest {
            Some((_, value)) => Ok((value, changed)),
            None => Err(Error::unexpected("a format without a value")),
        }
    }

    /// The next one is taken for another format.
    pub(crate) fn forget(&mut self) {
        self.latest = None;
    }
}
