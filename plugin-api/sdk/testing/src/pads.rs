//! Pads as the module sees them in a test: those of the server's media plane.

use std::sync::Arc;

use rivero_media::{Node, Sink, Source};
use rivero_plugin_api::{
    Encoding, Error, MediaKind, Packet, Result,
    abi::{
        abi_stable::{
            sabi_trait::TD_Opaque,
            std_types::{RArc, ROption, RResult, RSlice},
        },
        module,
        traits::{
            AbiSinkPad, AbiSinkPad_TO, AbiSourcePad, AbiSourcePad_TO, SinkGroup, SinkHandler,
            SinkPad, SourceHandler, SourcePad,
        },
        types::{AbiEncoding, AbiError, AbiUpstream},
    },
};

struct Place {
    node: Arc<Node>,
    kind: MediaKind,
    description: String,
}

fn exists(place: &Place) -> Error {
    Error::unexpected(format!(
        "there is a {:?} pad named {:?} already",
        place.kind, place.description
    ))
}

pub(super) fn open_source(
    node: &Arc<Node>,
    kind: MediaKind,
    description: &str,
    handler: SourceHandler,
) -> Result<SourcePad> {
    let place = Place {
        node: node.clone(),
        kind,
        description: description.to_owned(),
    };
    let source = node.add_source(kind, description, handler);
    let source = source.map_err(|_| exists(&place))?;
    let pad = RArc::new(OpenSource { source, place });
    Ok(AbiSourcePad_TO::from_ptr(pad, TD_Opaque))
}

pub(super) fn open_sink(
    node: &Arc<Node>,
    (kind, description): (MediaKind, &str),
    handler: SinkHandler,
    group: Option<SinkGroup>,
    token: u64,
) -> Result<SinkPad> {
    let place = Place {
        node: node.clone(),
        kind,
        description: description.to_owned(),
    };
    let sink = node.add_sink(kind, description, handler, group, token);
    let sink = sink.map_err(|_| exists(&place))?;
    let pad = RArc::new(OpenSink { sink, place });
    Ok(AbiSinkPad_TO::from_ptr(pad, TD_Opaque))
}

struct OpenSource {
    source: Arc<Source>,
    place: Place,
}

impl AbiSourcePad for OpenSource {
    fn id(&self) -> u32 {
        self.source.id()
    }

    fn push(&self, packets: RSlice<'_, Packet>) {
        self.source.push(packets.as_slice());
    }

    fn set_format(&self, format: u32) {
        let Place {
            node,
            kind,
            description,
        } = &self.place;
        node.set_format(*kind, description, format);
    }

    fn set_encodings(&self, encodings: RSlice<'_, AbiEncoding>) {
        let encodings = encodings.as_slice().iter().cloned().map(Encoding::from);
        self.source.set_encodings(encodings.collect());
    }

    fn show(&self, pad: u32) -> RResult<(), AbiError> {
        let pad = (pad != 0).then_some(pad);
        let Place {
            node,
            kind,
            description,
        } = &self.place;
        let shown = node.show(*kind, description, pad);
        module::result(shown.map_err(|error| Error::illegal_parameter(error.to_string())))
    }

    fn close(&self) {
        let Place {
            node,
            kind,
            description,
        } = &self.place;
        node.remove_source(*kind, description);
    }
}

struct OpenSink {
    sink: Arc<Sink>,
    place: Place,
}

impl AbiSinkPad for OpenSink {
    fn set_accepted(&self, formats: RSlice<'_, u32>) {
        let Place {
            node,
            kind,
            description,
        } = &self.place;
        node.set_accepted(*kind, description, formats.as_slice());
    }

    fn upstream(&self, message: AbiUpstream) {
        if let Some(message) = message.message() {
            self.sink.upstream(message);
        }
    }

    fn history(&self, ssrc: u32, sequence: u16) -> ROption<Packet> {
        self.sink.history(ssrc, sequence).into()
    }

    fn close(&self) {
        let Place {
            node,
            kind,
            description,
        } = &self.place;
        node.remove_sink(*kind, description);
    }

    fn next_bitrate(&self) -> u64 {
        self.sink.next_bitrate()
    }
}
