//! Data channels as clients of the API open and close them.

use rivero_plugin_api::{Error, MediaKind, Result};

use super::{Shared, observer::LegState};
use crate::{
    data::{ChannelOptions, Limit},
    shard::Token,
};

/// The limit that `createDataChannel` asks for: −1 is none, both exclude each other.
pub(super) fn limit(max_packet_life_time: i32, max_retransmits: i32) -> Result<Limit> {
    match (
        bounded("maxPacketLifeTime", max_packet_life_time)?,
        bounded("maxRetransmits", max_retransmits)?,
    ) {
        (Some(_), Some(_)) => Err(Error::illegal_parameter(
            "maxPacketLifeTime and maxRetransmits exclude each other: give one of them",
        )),
        (Some(ms), None) => Ok(Limit::LifetimeMs(ms)),
        (None, Some(count)) => Ok(Limit::Retransmits(count)),
        (None, None) => Ok(Limit::None),
    }
}

fn bounded(name: &str, value: i32) -> Result<Option<u32>> {
    match value {
        -1 => Ok(None),
        0..=65_535 => Ok(u32::try_from(value).ok()),
        _ => Err(Error::illegal_parameter(format!(
            "{name} is {value}, but must be from 0 to 65535, or -1 for none"
        ))),
    }
}

impl Shared {
    /// Opens a channel to the peer, at once or when it is connected; `DataChannelOpened` follows.
    pub(super) fn create_channel(&self, options: ChannelOptions) -> Result<()> {
        let token = self.data_leg().ok_or_else(|| {
            Error::not_supported(match self.params.use_data_channels {
                true => "Data channels are not negotiated, or the peer has closed them",
                false => "Data channels are not supported",
            })
        })?;
        let context = self.context.clone();
        self.shard.with(token, move |transport, now| {
            let opened = transport
                .data()
                .map(|data| data.transport.request(now, options));
            if let Some(Err(error)) = opened {
                let text = format!("the data channel was not created: {error}");
                context.error("RESOURCE_ERROR_OPEN", 0, &text);
            }
        });
        Ok(())
    }

    /// The transport that has or will have data channels.
    fn data_leg(&self) -> Option<Token> {
        let session = self.session();
        let mut pads = session.pads.iter();
        let token = pads.find(|pads| pads.kind == MediaKind::Data)?.token;
        drop(session);
        let ended = |leg: &LegState| leg.token == token && leg.has_ended();
        (!self.legs().iter().any(ended)).then_some(token)
    }

    /// Closes a channel; `DataChannelClosed` follows.
    pub(super) fn close_channel(&self, id: i32) -> Result<()> {
        let unknown =
            || Error::illegal_parameter(format!("there is no data channel with the id {id}"));
        let id = u16::try_from(id).map_err(|_| unknown())?;
        let pads = self.session();
        let token = pads
            .pads
            .iter()
            .find(|pads| pads.kind == MediaKind::Data)
            .map(|pads| pads.token)
            .ok_or_else(|| Error::not_supported("Data channels are not supported"))?;
        drop(pads);
        let context = self.context.clone();
        self.shard.with(token, move |transport, now| {
            let closed = transport.data().map(|data| data.transport.close(now, id));
            if let Some(Err(error)) = closed {
                tracing::warn!(endpoint = context.id(), %error, "closeDataChannel");
            }
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_most_one_limit_within_16_bits() {
        assert_eq!(limit(-1, -1).unwrap(), Limit::None);
        assert_eq!(limit(500, -1).unwrap(), Limit::LifetimeMs(500));
        assert_eq!(limit(-1, 0).unwrap(), Limit::Retransmits(0));
        for (lifetime, count) in [(1, 1), (-2, -1), (-1, 65_536)] {
            assert_eq!(limit(lifetime, count).unwrap_err().code, 40107);
        }
    }
}
