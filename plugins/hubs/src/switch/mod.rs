//! Media of one port is given to others as it comes: nothing is decoded where both sides agree.
//!
//! A [`Switch`] is for one kind of media. Each port has a [`Lane`](lane::Lane) of it: what comes in goes
//! to the [`Outlet`](outlet::Outlet)s of those that chose it, and a [`Selector`](selector::Selector) says where
//! another source takes over. Numbers and times of packets stay: whoever sends them to a peer goes on with
//! its own, as at any change of a source.

mod lane;
mod outlet;
mod selector;

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use rivero_plugin_api::{
    ElementContext, Error, MediaKind, Result, Upstream, host, supervise::lock,
};

use lane::{Lane, Paths};
pub(crate) use outlet::Outlet;

/// Switches for all kinds of media, between the same ports.
pub(crate) struct Switches(Vec<Arc<Switch>>);

impl Default for Switches {
    fn default() -> Self {
        Self(
            MediaKind::ALL
                .iter()
                .map(|kind| Switch::new(*kind))
                .collect(),
        )
    }
}

impl Switches {
    /// A port came. It is as if it had not where its pads cannot be opened.
    pub(crate) fn add_port(&self, id: &str, port: &ElementContext) -> Result<()> {
        let mut switches = self.0.iter();
        let opened = switches.try_for_each(|switch| switch.add_port(id, port));
        opened.inspect_err(|_| self.remove_port(id))
    }

    pub(crate) fn remove_port(&self, id: &str) {
        self.0.iter().for_each(|switch| switch.remove_port(id));
    }

    /// See [`Switch::connect`].
    pub(crate) fn connect(&self, source: &str, sink: &str) -> Result<()> {
        self.0
            .iter()
            .try_for_each(|switch| switch.connect(source, sink))
    }

    /// Gives the media of a port to all ports.
    ///
    /// # Errors
    /// 40107 where it is no port of the hub
    pub(crate) fn connect_all(&self, source: &str) -> Result<()> {
        self.0
            .iter()
            .try_for_each(|switch| switch.connect_all(source))
    }

    pub(crate) fn disconnect_all(&self) {
        self.0.iter().for_each(|switch| switch.disconnect_all());
    }

    /// The hub is released.
    pub(crate) fn close(&self) {
        self.0.iter().for_each(|switch| switch.close());
    }
}

/// The switch for one kind of media.
pub(crate) struct Switch {
    kind: MediaKind,
    lanes: Mutex<Vec<Arc<Lane>>>,
    next: AtomicU64,
    /// Changes that [`Self::settle`] has not looked at.
    unsettled: AtomicU64,
}

impl Switch {
    pub(crate) fn new(kind: MediaKind) -> Arc<Self> {
        Arc::new(Self {
            kind,
            lanes: Mutex::default(),
            next: AtomicU64::new(1),
            unsettled: AtomicU64::new(0),
        })
    }

    /// A port came.
    ///
    /// # Errors
    /// Why its pads cannot be opened
    pub(crate) fn add_port(self: &Arc<Self>, id: &str, port: &ElementContext) -> Result<()> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let lane = Lane::open(self, number, id, port)?;
        lock(&self.lanes).push(lane);
        Ok(())
    }

    /// A port went: nobody gets its media any more.
    pub(crate) fn remove_port(&self, id: &str) {
        let mut lanes = lock(&self.lanes);
        let place = lanes.iter().position(|lane| *lane.port == *id);
        let gone = place.map(|place| lanes.remove(place));
        let others = lanes.clone();
        drop(lanes);
        if let Some(gone) = gone {
            others
                .iter()
                .for_each(|lane| lane.outlet.forget(gone.number));
            self.settle();
        }
    }

    /// Gives the media of a port to another, in place of what that got before.
    ///
    /// # Errors
    /// 40107 where one is no port of the hub
    pub(crate) fn connect(&self, source: &str, sink: &str) -> Result<()> {
        let (source, sink) = (self.lane(source)?, self.lane(sink)?);
        self.give(&source, &[sink]);
        Ok(())
    }

    /// Gives the media of a port to all ports.
    ///
    /// # Errors
    /// 40107 where it is no port of the hub
    pub(crate) fn connect_all(&self, source: &str) -> Result<()> {
        let source = self.lane(source)?;
        self.give(&source, &self.all());
        Ok(())
    }

    fn give(&self, source: &Arc<Lane>, sinks: &[Arc<Lane>]) {
        let now = host().map_or(0, rivero_plugin_api::Host::now);
        let mut needs_keyframe = false;
        for sink in sinks {
            needs_keyframe |= sink.outlet.want(source.number, now);
        }
        // First, so that the keyframe finds the listeners.
        self.settle();
        if needs_keyframe {
            source.send_upstream(Upstream::KeyframeRequest);
        }
    }

    /// Undoes [`Self::connect`]; nothing where the other port gets, and is about to get, something else.
    ///
    /// # Errors
    /// 40107 where one is no port of the hub
    pub(crate) fn disconnect(&self, source: &str, sink: &str) -> Result<()> {
        let (source, sink) = (self.lane(source)?, self.lane(sink)?);
        sink.outlet.leave(source.number);
        self.settle();
        Ok(())
    }

    /// Gives nothing to anybody.
    pub(crate) fn disconnect_all(&self) {
        self.all()
            .iter()
            .for_each(|lane| lane.outlet.want_nothing());
        self.settle();
    }

    /// Closes all pads.
    pub(crate) fn close(&self) {
        // Dropped when the lock is let go: a pad that closes calls into the host.
        let lanes = std::mem::take(&mut *lock(&self.lanes));
        drop(lanes);
    }

    fn all(&self) -> Vec<Arc<Lane>> {
        lock(&self.lanes).clone()
    }

    fn lane(&self, port: &str) -> Result<Arc<Lane>> {
        let lanes = lock(&self.lanes);
        let found = lanes.iter().find(|lane| *lane.port == *port);
        found.cloned().ok_or_else(|| no_port(port))
    }

    fn lane_by_number(&self, number: u64) -> Option<Arc<Lane>> {
        let lanes = lock(&self.lanes);
        lanes.iter().find(|lane| lane.number == number).cloned()
    }

    /// Brings up to date whom each input goes to, and what it is told of their paths. Messages to sources
    /// may come back here by way of elements between, so no lock is held: whoever comes while somebody
    /// is at it leaves the rest to them.
    fn settle(&self) {
        if self.unsettled.fetch_add(1, Ordering::AcqRel) > 0 {
            return;
        }
        loop {
            let seen = self.unsettled.load(Ordering::Acquire);
            self.settle_once();
            if self.unsettled.fetch_sub(seen, Ordering::AcqRel) == seen {
                return;
            }
        }
    }

    fn settle_once(&self) {
        let lanes = self.all();
        let mut listeners: HashMap<u64, Vec<&Arc<Lane>>> = HashMap::new();
        for lane in &lanes {
            for input in lane.outlet.inputs() {
                listeners.entry(input).or_default().push(lane);
            }
        }
        for lane in &lanes {
            let listeners = listeners.remove(&lane.number).unwrap_or_default();
            let paths = listeners.iter().map(|listener| listener.paths());
            let paths = paths.fold(Paths::default(), Paths::least);
            lane.set_listeners(listeners.iter().map(|lane| Arc::downgrade(lane)).collect());
            lane.tell(paths);
        }
    }
}

pub(crate) fn no_port(id: &str) -> Error {
    Error::illegal_parameter(format!("'{id}' is no port of this hub"))
}
