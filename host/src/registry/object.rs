//! One object that clients can name.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;
use rivero_idl::{Class, Model};
use rivero_media::{Graph, MediaKind, Node};

use super::holds::Holders;
use super::labels::Labels;
use super::recording::Recording;
use super::subscriptions::Subscriptions;
use crate::accounts::{Account, Carrier, Claim, Exhausted, Metered, Resource};
use crate::modules::Instance;

/// What stands for a module where the server makes objects itself.
pub const OWN_MODULE: &str = "rivero";

static NEXT_SERIAL: AtomicU64 = AtomicU64::new(1);

/// What an object is made of, beyond what all have in common.
#[derive(Clone)]
pub enum Body {
    /// The root object; it is never destroyed.
    ServerManager,
    /// A pipeline: holds elements and hubs.
    Pipeline {
        /// The links between its elements.
        graph: Arc<Graph>,
    },
    /// An element whose media a module handles.
    Element {
        /// Its pads and links.
        node: Arc<Node>,
        /// Its implementation.
        instance: Arc<dyn Instance>,
    },
    /// A hub, implemented by a module; its children are its ports.
    Hub {
        /// What its ports may show; nobody connects to it.
        node: Option<Arc<Node>>,
        /// Its implementation.
        instance: Arc<dyn Instance>,
    },
    /// A port of a hub.
    HubPort {
        /// Its pads and links.
        node: Arc<Node>,
    },
    /// An object of a module that takes no part in media.
    Plain(Arc<dyn Instance>),
}

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Body::ServerManager => "ServerManager",
            Body::Pipeline { .. } => "Pipeline",
            Body::Element { .. } => "Element",
            Body::Hub { .. } => "Hub",
            Body::HubPort { .. } => "HubPort",
            Body::Plain(_) => "Plain",
        })
    }
}

/// Values of writable core properties; an object uses those that its class has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Bit/s asked of an encoder, where a client or the configuration has said so.
    pub encoder_bitrate: Option<i32>,
    /// Bit/s, lower bound.
    pub min_encoder_bitrate: i32,
    /// Bit/s, upper bound; 0 and the largest number are none.
    pub max_encoder_bitrate: i32,
    /// Whether a pipeline measures latency.
    pub latency_stats: bool,
}

impl Settings {
    /// What `encoderBitrate` reads as long as nobody has set it. It limits nothing then.
    const ENCODER_BITRATE: i32 = 300_000;

    /// `encoderBitrate` as clients read it.
    pub fn shown_encoder_bitrate(&self) -> i32 {
        self.encoder_bitrate.unwrap_or(Self::ENCODER_BITRATE)
    }

    /// Sets `encoderBitrate`, which has no negative values.
    pub fn set_encoder_bitrate(&mut self, value: i32) {
        if value >= 0 {
            self.encoder_bitrate = Some(value);
        }
    }

    /// Sets `minEncoderBitrate`: no negative values, and none above the maximum.
    pub fn set_min_encoder_bitrate(&mut self, value: i32) {
        if value >= 0 {
            let most = Some(self.max_encoder_bitrate).filter(|most| *most > 0);
            self.min_encoder_bitrate = most.map_or(value, |most| value.min(most));
        }
    }

    /// Sets `maxEncoderBitrate`: no negative values, and none below the minimum but 0, which is no
    /// limit.
    pub fn set_max_encoder_bitrate(&mut self, value: i32) {
        match value {
            ..0 => {}
            0 => self.max_encoder_bitrate = 0,
            value => self.max_encoder_bitrate = value.max(self.min_encoder_bitrate),
        }
    }
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            encoder_bitrate: None,
            min_encoder_bitrate: 0,
            max_encoder_bitrate: i32::MAX,
            latency_stats: false,
        }
    }
}

/// A registered object.
#[derive(Debug)]
pub struct Object {
    /// See [`super::id`].
    pub id: Arc<str>,
    /// Its class.
    pub class: Arc<Class>,
    /// The types that its class speaks of, if it is a module's.
    types: OnceLock<Arc<Model>>,
    /// `None` for pipelines and the server manager.
    pub parent: Option<Arc<Object>>,
    /// What implements it.
    pub body: Body,
    /// Seconds since the epoch.
    pub creation_time: u64,
    /// Who gets which event.
    pub subscriptions: Subscriptions,
    /// Name and tags.
    pub labels: Mutex<Labels>,
    /// The kinds of media of this element that are being converted.
    pub transcoding: Mutex<Vec<MediaKind>>,
    /// Core properties.
    pub settings: Mutex<Settings>,
    /// Held by the one call that runs; calls take it in the order of their arrival.
    pub calls: Arc<tokio::sync::Mutex<()>>,
    pub(super) serial: u64,
    /// How many objects had been registered with it; 0 until it is.
    pub(super) born: AtomicU64,
    /// By birth, that is by age. Changed only under the registry's graph lock.
    pub(super) children: Mutex<BTreeMap<u64, Arc<Object>>>,
    /// Changed only under the registry's graph lock.
    pub(super) holders: Mutex<Holders>,
    pub(super) released: AtomicBool,
    /// What it records, if it is of a class that does.
    pub recording: Recording,
    /// The media that counts for its account.
    metered: OnceLock<Metered>,
    allotment: Allotment,
}

/// That an account may have an object; the object has it for life.
#[derive(Debug)]
pub struct Allotment {
    object: Claim,
    _pipeline: Option<Claim>,
}

impl Allotment {
    /// # Errors
    /// When the account may have no more objects, or pipelines if it is one.
    pub fn claim(account: &Arc<Account>, is_pipeline: bool) -> Result<Allotment, Exhausted> {
        let pipeline = is_pipeline.then(|| account.claim(Resource::Pipelines, 1));
        Ok(Allotment {
            object: account.claim(Resource::Objects, 1)?,
            _pipeline: pipeline.transpose()?,
        })
    }
}

impl Object {
    /// An object that is not registered yet.
    #[must_use]
    pub fn new(
        id: Arc<str>,
        class: Arc<Class>,
        parent: Option<Arc<Object>>,
        body: Body,
        allotment: Allotment,
    ) -> Arc<Object> {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Arc::new(Object {
            id,
            class,
            types: OnceLock::new(),
            parent,
            body,
            creation_time: now.as_secs(),
            subscriptions: Subscriptions::default(),
            labels: Mutex::new(Labels::new(allotment.object.account())),
            transcoding: Mutex::default(),
            settings: Mutex::default(),
            calls: Arc::default(),
            serial: NEXT_SERIAL.fetch_add(1, Ordering::Relaxed),
            born: AtomicU64::new(0),
            children: Mutex::default(),
            holders: Mutex::default(),
            released: AtomicBool::new(false),
            recording: Recording::default(),
            metered: OnceLock::new(),
            allotment,
        })
    }

    /// Says which types its class speaks of; only the first call counts. A module may be replaced
    /// by one that defines them otherwise while this object lives.
    pub fn set_types(&self, model: Arc<Model>) {
        let _ = self.types.set(model);
    }

    /// The types that its class speaks of, if they were said.
    #[must_use]
    pub fn types(&self) -> Option<&Arc<Model>> {
        self.types.get()
    }

    /// Has the media of this endpoint count for its account; only the first call counts.
    pub fn meter(&self, carrier: Arc<dyn Carrier>) {
        let _ = self.metered.set(Metered::new(self.account(), carrier));
    }

    /// Who made it.
    #[must_use]
    pub fn account(&self) -> &Arc<Account> {
        self.allotment.object.account()
    }

    /// Whose it is: the principal's that made it, or has the pipeline that it is in.
    #[must_use]
    pub fn owner(&self) -> Option<&Arc<str>> {
        match &self.parent {
            Some(parent) => parent.owner(),
            None => self.account().owner(),
        }
    }

    /// How many objects had been registered with it: children are younger than their parents.
    pub(super) fn born(&self) -> u64 {
        self.born.load(Ordering::Relaxed)
    }

    /// Its parent, the parent of that, and so on.
    pub(super) fn ancestors(&self) -> impl Iterator<Item = &Arc<Object>> {
        std::iter::successors(self.parent.as_ref(), |above| above.parent.as_ref())
    }

    pub(super) fn is_below(&self, other: &Object) -> bool {
        self.ancestors().any(|above| above.serial == other.serial)
    }

    /// The pipeline that contains it; a pipeline contains itself.
    #[must_use]
    pub fn pipeline(&self) -> Option<&str> {
        match (&self.body, &self.parent) {
            (Body::Pipeline { .. }, _) => Some(&self.id),
            (_, Some(parent)) => parent.pipeline(),
            (_, None) => None,
        }
    }

    /// The links of its pipeline.
    #[must_use]
    pub fn graph(&self) -> Option<&Arc<Graph>> {
        match (&self.body, &self.parent) {
            (Body::Pipeline { graph }, _) => Some(graph),
            (_, Some(parent)) => parent.graph(),
            (_, None) => None,
        }
    }

    /// Direct children, oldest first.
    pub fn children(&self) -> Vec<Arc<Object>> {
        self.children.lock().values().cloned().collect()
    }

    /// Number of direct children.
    pub fn child_count(&self) -> usize {
        self.children.lock().len()
    }

    /// Direct children, and sessions that are recorded as its holders: how much work its end is.
    pub fn extent(&self) -> usize {
        self.child_count() + self.holders.lock().count()
    }

    /// Its pads and links, when it is an element.
    #[must_use]
    pub fn node(&self) -> Option<&Arc<Node>> {
        match &self.body {
            Body::Element { node, .. } | Body::HubPort { node } => Some(node),
            _ => None,
        }
    }

    /// Its pads and links, also when it is a hub, which nobody connects to.
    #[must_use]
    pub fn any_node(&self) -> Option<&Arc<Node>> {
        match &self.body {
            Body::Hub { node, .. } => node.as_ref(),
            _ => self.node(),
        }
    }

    /// Its implementation, when that lives in a module.
    #[must_use]
    pub fn instance(&self) -> Option<&Arc<dyn Instance>> {
        match &self.body {
            Body::Element { instance, .. } | Body::Hub { instance, .. } | Body::Plain(instance) => {
                Some(instance)
            }
            Body::ServerManager | Body::Pipeline { .. } | Body::HubPort { .. } => None,
        }
    }

    /// What makes objects of its class: the name of a module's file, or of the server.
    #[must_use]
    pub fn module(&self) -> Arc<str> {
        self.instance()
            .map_or_else(|| OWN_MODULE.into(), |instance| instance.module())
    }

    /// Whether it has been destroyed.
    pub fn is_released(&self) -> bool {
        self.released.load(Ordering::Acquire)
    }

    /// Ends all subscriptions of an object that has been destroyed; returns how many there were.
    pub(crate) fn forget_subscriptions(&self) -> u64 {
        let sessions = self.subscriptions.take();
        for session in &sessions {
            session.subscribed.lock().remove(&self.serial);
        }
        sessions.len() as u64
    }

    /// The label that clients see: the name given, or the id.
    pub fn name(&self) -> String {
        let labels = self.labels.lock();
        labels
            .name()
            .map_or_else(|| self.id.to_string(), str::to_owned)
    }
}
