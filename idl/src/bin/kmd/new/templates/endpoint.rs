//! @module@.@class@ @purpose@.

use std::sync::mpsc::{SyncSender, sync_channel};

use rivero_sdk::{
    Behaviour, Class, ElementContext, Endpoint, Format, MediaKind, Outlet, Packaging, Packet,
    Result, endpoint@in_range@, supervise,
};

rivero_sdk::generated!(api);
rivero_sdk::export_module! { classes: [class()] }

fn class() -> Class {
    endpoint::<@class@>("@class@")
}

struct @class@ {
    /// To the thread that stands for a connection.
    out: Option<SyncSender<(MediaKind, Vec<Packet>)>>,
}

impl Behaviour for @class@ {
    type Properties = api::@class@Params;

    fn new(_: ElementContext, _: &Self::Properties) -> Result<Self> {
        Ok(Self { out: None })
    }
@check@

    fn released(&mut self) {
        self.out = None;
    }
}

impl Endpoint for @class@ {
    fn formats(_: &Self::Properties) -> Vec<(MediaKind, Format)> {
        let frames = |format| Format { packaging: Packaging::Frame, ..format };
        vec![
            (MediaKind::Video, frames(Format::rtp("VP8", 90_000, 0))),
            (MediaKind::Audio, frames(Format::rtp("OPUS", 48_000, 2))),
        ]
    }

    fn opened(&mut self, outlet: Outlet) {
        let (out, media) = sync_channel::<(MediaKind, Vec<Packet>)>(64);
        let carry = move || media.iter().for_each(|(kind, packets)| outlet.push(kind, &packets));
        self.out = supervise::thread("@module@", carry).is_ok().then_some(out);
    }

    fn send(&mut self, kind: MediaKind, packets: &[Packet]) {
        if let Some(out) = &self.out {
            // What the other side does not take in time is lost.
            let _ = out.try_send((kind, packets.to_vec()));
        }
    }
}

#[cfg(test)]
mod tests {
    use rivero_sdk::{serde_json::json, testing::Linked};

    use super::*;

    #[test]
    fn media_comes_back() -> Result<()> {
        let pipeline = rivero_sdk::testing::pipeline!();
        let endpoint = pipeline.create(class(), json!(@parameters@))?;
        let format = Format { packaging: Packaging::Frame, ..Format::rtp("VP8", 90_000, 0) };
        let (sender, screen) = (pipeline.sender(MediaKind::Video, format), pipeline.screen());
        sender.connect(&endpoint);
        endpoint.connect(&screen);
        sender.send(b"a frame");
        let packets = screen.wait_for(1);
        assert_eq!(&*packets[0].bytes, b"a frame");
        Ok(())
    }
@test_of_properties@
}
