//! Elements that send media somewhere else and get some from there.

use std::sync::{Arc, OnceLock, Weak};

use rivero_filter::base::{Behaviour, Instance, Pads, class};
use rivero_plugin_api::{
    Class, DEFAULT_DESCRIPTION, Format, MediaKind, Packet, Result, SinkHandler, SinkPad,
    SourceHandler, SourcePad, Upstream, host,
};

/// A class that is a way out of the server and back into it.
pub trait Endpoint: Behaviour {
    /// What it takes and gives, one format for a kind of media: frames of `VP8` and `OPUS`, say. The server converts what
    /// comes in another one.
    fn formats(properties: &Self::Properties) -> Vec<(MediaKind, Format)>;

    /// The way into the server is open, before anything is sent. Keep it where media comes from outside, on any thread.
    fn opened(&mut self, outlet: Outlet);

    /// Media of the server is to go out. Hand it to a thread that sends it: this has to return at once.
    fn send(&mut self, kind: MediaKind, packets: &[Packet]);

    /// Somebody needs a keyframe of what comes from outside.
    fn keyframe_wanted(&mut self, kind: MediaKind) {
        let _ = kind;
    }
}

/// The class of this name whose objects are endpoints, for `export_module!`.
pub fn endpoint<E: Endpoint>(name: &'static str) -> Class {
    class::<E, EndpointPads>(name)
}

/// The way into the server. Closed when its object is released; then nothing comes of what is pushed.
#[derive(Clone)]
pub struct Outlet(Weak<Vec<Gate>>);

struct Gate {
    kind: MediaKind,
    format: u32,
    source: SourcePad,
}

impl Outlet {
    /// Media that came from outside. Format and kind are filled in; a time of 0 is now.
    pub fn push(&self, kind: MediaKind, packets: &[Packet]) {
        let Some(gates) = self.0.upgrade() else {
            return;
        };
        let Some(gate) = gates.iter().find(|gate| gate.kind == kind) else {
            return;
        };
        let now = host().map_or(0, |host| host.now());
        let or_now = |time: i64| if time == 0 { now } else { time };
        let filled = packets.iter().map(|packet| Packet {
            format: gate.format,
            kind,
            presentation_time: or_now(packet.presentation_time),
            ingress_time: or_now(packet.ingress_time),
            ..packet.clone()
        });
        gate.source.push(&filled.collect::<Vec<_>>());
    }

    /// Whether its object still lives.
    pub fn is_open(&self) -> bool {
        self.0.strong_count() > 0
    }
}

struct EndpointPads {
    /// Open until dropped.
    _gates: Arc<Vec<Gate>>,
    _sinks: Vec<Arc<OnceLock<SinkPad>>>,
}

impl<E: Endpoint> Pads<E> for EndpointPads {
    fn open(instance: &Arc<Instance<E>>) -> Result<Self> {
        let context = instance.context();
        let (mut gates, mut sinks) = (Vec::new(), Vec::new());
        for (kind, format) in E::formats(&instance.properties()) {
            let format = host().map_or(0, |host| host.format_id(&format));
            let end = |sink| End {
                kind,
                instance: Arc::downgrade(instance),
                sink,
            };
            let place = Arc::new(OnceLock::new());
            let source = context.source_pad(kind, DEFAULT_DESCRIPTION, end(Weak::new()))?;
            source.set_format(Some(format));
            let handler = end(Arc::downgrade(&place));
            let sink = context.sink_pad(kind, DEFAULT_DESCRIPTION, handler)?;
            place.get_or_init(|| sink).set_accepted(&[format]);
            gates.push(Gate {
                kind,
                format,
                source,
            });
            sinks.push(place);
        }
        let gates = Arc::new(gates);
        instance.with(|endpoint, _| endpoint.opened(Outlet(Arc::downgrade(&gates))));
        Ok(Self {
            _gates: gates,
            _sinks: sinks,
        })
    }
}

/// An endpoint as its pads know it: they do not keep it alive.
struct End<E: Behaviour> {
    kind: MediaKind,
    instance: Weak<Instance<E>>,
    sink: Weak<OnceLock<SinkPad>>,
}

impl<E: Endpoint> SinkHandler for End<E> {
    fn packets(&self, packets: &[Packet]) {
        if let Some(instance) = self.instance.upgrade() {
            instance.with(|endpoint, _| endpoint.send(self.kind, packets));
        }
    }

    fn format(&self, format: Option<u32>) {
        let place = self.sink.upgrade();
        let sink = place.as_ref().and_then(|place| place.get());
        if let (Some(_), Some(sink)) = (format, sink) {
            sink.upstream(Upstream::KeyframeRequest);
        }
    }
}

impl<E: Endpoint> SourceHandler for End<E> {
    fn upstream(&self, message: Upstream) {
        if let (Upstream::KeyframeRequest, Some(instance)) = (message, self.instance.upgrade()) {
            instance.with(|endpoint, _| endpoint.keyframe_wanted(self.kind));
        }
    }
}
