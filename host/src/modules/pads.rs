//! Pads as modules see them.

use std::sync::Arc;

use abi_stable::{
    sabi_trait::TD_Opaque,
    std_types::{RArc, ROption, RResult, RSlice},
};
use rivero_media::{Node, Sink, Source};
use rivero_plugin_api::{
    Encoding, Error, MediaKind, Packet,
    abi::{
        guard, module,
        traits::{
            AbiSinkPad, AbiSinkPad_TO, AbiSourcePad, AbiSourcePad_TO, SinkGroup, SinkHandler,
            SinkPad, SourceHandler, SourcePad,
        },
        types::{AbiEncoding, AbiError, AbiUpstream},
    },
    supervise,
};

use super::generation::Generation;

/// Where a pad is.
struct Place {
    node: Arc<Node>,
    kind: MediaKind,
    description: Arc<str>,
}

impl Place {
    fn new(node: &Arc<Node>, kind: MediaKind, description: &str) -> Self {
        Self {
            node: node.clone(),
            kind,
            description: description.into(),
        }
    }
}

fn exists(kind: MediaKind, description: &str) -> Error {
    Error::unexpected(format!(
        "there is a {kind:?} pad named {description:?} already"
    ))
}

/// A panic of ours must not cross into the module.
fn contained<T: Default>(body: impl FnOnce() -> T) -> T {
    supervise::contained("a pad", body).unwrap_or_default()
}

pub(super) fn open_source(
    (node, kind, description): (&Arc<Node>, MediaKind, &str),
    handler: SourceHandler,
    generation: &Arc<Generation>,
) -> Result<SourcePad, Error> {
    let source = node
        .add_source(kind, description, handler)
        .map_err(|_| exists(kind, description))?;
    let pad = OpenSource {
        source,
        place: Place::new(node, kind, description),
        generation: generation.clone(),
    };
    Ok(AbiSourcePad_TO::from_ptr(RArc::new(pad), TD_Opaque))
}

pub(super) fn open_sink(
    node: &Arc<Node>,
    kind: MediaKind,
    description: &str,
    handler: SinkHandler,
    group: Option<SinkGroup>,
    token: u64,
) -> Result<SinkPad, Error> {
    let sink = node
        .add_sink(kind, description, handler, group, token)
        .map_err(|_| exists(kind, description))?;
    let pad = OpenSink {
        sink,
        place: Place::new(node, kind, description),
    };
    Ok(AbiSinkPad_TO::from_ptr(RArc::new(pad), TD_Opaque))
}

struct OpenSource {
    source: Arc<Source>,
    place: Place,
    generation: Arc<Generation>,
}

impl AbiSourcePad for OpenSource {
    fn id(&self) -> u32 {
        self.source.id()
    }

    fn push(&self, packets: RSlice<'_, Packet>) {
        contained(|| {
            self.generation.gives(packets.as_slice());
            self.source.push(packets.as_slice());
        });
    }

    fn set_format(&self, format: u32) {
        contained(|| {
            self.place
                .node
                .set_format(self.place.kind, &self.place.description, format)
        });
    }

    fn set_encodings(&self, encodings: RSlice<'_, AbiEncoding>) {
        contained(|| {
            let encodings = encodings.as_slice().iter().cloned().map(Encoding::from);
            self.source.set_encodings(encodings.collect());
        });
    }

    fn show(&self, pad: u32) -> RResult<(), AbiError> {
        let shown = guard::call("show", || {
            let Place {
                node,
                kind,
                description,
            } = &self.place;
            let pad = (pad != 0).then_some(pad);
            node.show(*kind, description, pad)
                .map_err(|error| Error::illegal_parameter(error.to_string()))
        });
        module::result(shown)
    }

    fn close(&self) {
        contained(|| {
            self.place
                .node
                .remove_source(self.place.kind, &self.place.description)
        });
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
        contained(|| node.set_accepted(*kind, description, formats.as_slice()));
    }

    fn upstream(&self, message: AbiUpstream) {
        contained(|| {
            if let Some(message) = message.message() {
                self.sink.upstream(message);
            }
        });
    }

    fn history(&self, ssrc: u32, sequence: u16) -> ROption<Packet> {
        contained(|| self.sink.history(ssrc, sequence)).into()
    }

    fn close(&self) {
        contained(|| {
            self.place
                .node
                .remove_sink(self.place.kind, &self.place.description)
        });
    }

    fn next_bitrate(&self) -> u64 {
        contained(|| self.sink.next_bitrate())
    }
}
