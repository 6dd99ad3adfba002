//! Hubs whose ports get the media of one another.

use std::sync::{Arc, Mutex, OnceLock, TryLockError, Weak};

use rivero_filter::{
    base::{Behaviour, Instance, Pads, class},
    push_single,
};
use rivero_plugin_api::{
    Class, DEFAULT_DESCRIPTION, ElementContext, MediaKind, Packet, Result, SinkHandler, SinkPad,
    SourceHandler, SourcePad, Upstream, supervise::lock,
};

/// A hub that decides which port gets whose media. It goes on as it comes, without being decoded.
pub trait SwitchHub: Behaviour {
    /// The port whose media `port` gets, which may be itself; `None`: nobody's. `ports` are all that there are, in the order
    /// in which they came. Asked for each port whenever a port came or went, a property was set or a method called.
    fn source_of(
        &mut self,
        port: &str,
        ports: &[String],
        properties: &Self::Properties,
    ) -> Option<String>;
}

/// The class of this name whose objects are such hubs, for `export_module!`.
pub fn switch_hub<H: SwitchHub>(name: &'static str) -> Class {
    class::<H, Ports>(name)
}

struct Ports(Vec<Port>);

struct Port {
    id: String,
    ways: Vec<Arc<Way>>,
}

/// In and out of a port, for one kind of media.
#[derive(Default)]
struct Way {
    source: OnceLock<SourcePad>,
    sink: OnceLock<SinkPad>,
    state: Mutex<State>,
    /// Held while something is pushed. Around a switch there are two producers for a moment.
    pushes: Mutex<()>,
}

#[derive(Default)]
struct State {
    /// Of what comes in.
    format: Option<u32>,
    /// Where it goes.
    to: Vec<Weak<Way>>,
    /// Where what goes out comes from.
    from: Weak<Way>,
}

/// A way as its pads know it: they do not keep it alive.
struct End(Weak<Way>);

impl<H: SwitchHub> Pads<H> for Ports {
    fn open(_: &Arc<Instance<H>>) -> Result<Self> {
        Ok(Self(Vec::new()))
    }

    fn changed(&mut self, instance: &Arc<Instance<H>>) {
        let ids: Vec<String> = self.0.iter().map(|port| port.id.clone()).collect();
        let sources: Vec<Option<String>> = instance.with(|hub, properties| {
            let of = |id: &String| hub.source_of(id, &ids, properties);
            ids.iter().map(of).collect()
        });
        for (port, source) in self.0.iter().zip(sources) {
            let source = source.and_then(|id| self.0.iter().find(|port| port.id == id));
            for (index, way) in port.ways.iter().enumerate() {
                way.follow(source.and_then(|source| source.ways.get(index)));
            }
        }
    }

    fn port_added(
        &mut self,
        instance: &Arc<Instance<H>>,
        id: &str,
        port: ElementContext,
    ) -> Result<()> {
        let ways: Result<_> = MediaKind::ALL
            .iter()
            .map(|kind| Way::open(&port, *kind))
            .collect();
        self.0.push(Port {
            id: id.to_owned(),
            ways: ways?,
        });
        self.changed(instance);
        Ok(())
    }

    fn port_removed(&mut self, instance: &Arc<Instance<H>>, id: &str) {
        self.0.retain(|port| port.id != id);
        self.changed(instance);
    }
}

impl Way {
    fn open(port: &ElementContext, kind: MediaKind) -> Result<Arc<Self>> {
        let way = Arc::new(Self::default());
        let end = || End(Arc::downgrade(&way));
        let source = port.source_pad(kind, DEFAULT_DESCRIPTION, end())?;
        let sink = port.sink_pad(kind, DEFAULT_DESCRIPTION, end())?;
        // The way is new, so both places are empty.
        let _ = way.source.set(source);
        way.sink.get_or_init(|| sink).accept_any();
        Ok(way)
    }

    /// Gives out what comes in at another way from now on, or nothing.
    fn follow(self: &Arc<Self>, source: Option<&Arc<Self>>) {
        let next = source.map(Arc::downgrade).unwrap_or_default();
        let before = std::mem::replace(&mut lock(&self.state).from, next.clone());
        if before.ptr_eq(&next) {
            return;
        }
        if let Some(before) = before.upgrade() {
            let this = Arc::downgrade(self);
            lock(&before.state).to.retain(|way| !way.ptr_eq(&this));
        }
        // Pads are called without a lock: they may call back.
        let format = source.and_then(|source| {
            let mut state = lock(&source.state);
            state.to.push(Arc::downgrade(self));
            state.format
        });
        if let Some(pad) = self.source.get() {
            pad.set_format(format);
        }
        if let Some(sink) = source.and_then(|source| source.sink.get()) {
            sink.upstream(Upstream::KeyframeRequest);
        }
    }

    fn audience(&self) -> Vec<Arc<Self>> {
        let state = lock(&self.state);
        state.to.iter().filter_map(Weak::upgrade).collect()
    }

    fn push(&self, packets: &[Packet]) {
        // Who finds it busy loses its burst: the next one begins with a keyframe anyway.
        let _alone = match self.pushes.try_lock() {
            Ok(alone) => alone,
            Err(TryLockError::Poisoned(error)) => error.into_inner(),
            Err(TryLockError::WouldBlock) => return,
        };
        if let Some(source) = self.source.get() {
            push_single(source, packets);
        }
    }
}

impl SinkHandler for End {
    fn packets(&self, packets: &[Packet]) {
        let Some(way) = self.0.upgrade() else { return };
        way.audience().iter().for_each(|to| to.push(packets));
    }

    fn format(&self, format: Option<u32>) {
        let Some(way) = self.0.upgrade() else { return };
        lock(&way.state).format = format;
        for to in way.audience() {
            if let Some(pad) = to.source.get() {
                pad.set_format(format);
            }
        }
    }
}

impl SourceHandler for End {
    fn upstream(&self, message: Upstream) {
        let from = self
            .0
            .upgrade()
            .and_then(|way| lock(&way.state).from.upgrade());
        if let Some(sink) = from.as_ref().and_then(|from| from.sink.get()) {
            sink.upstream(message);
        }
    }
}
