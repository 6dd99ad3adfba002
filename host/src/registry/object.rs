//! One object that clients can name.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;
use rivero_idl::Class;

use super::session::Session;
use crate::events::Subscriptions;
use crate::media::{Graph, MediaKind, Node};
use crate::modules::Instance;

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
    Hub(Arc<dyn Instance>),
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
            Body::Hub(_) => "Hub",
            Body::HubPort { .. } => "HubPort",
            Body::Plain(_) => "Plain",
        })
    }
}

/// What clients attach to an object.
#[derive(Debug, Default)]
pub struct Labels {
    /// `None` shows the id.
    pub name: Option<String>,
    /// Ordered by key.
    pub tags: BTreeMap<String, String>,
    /// Whether events carry the tags.
    pub send_tags_in_events: bool,
}

/// Values of writable core properties; an object uses those that its class has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Bit/s asked of an encoder when no consumer asks for another rate.
    pub encoder_bitrate: i32,
    /// Bit/s, lower bound.
    pub min_encoder_bitrate: i32,
    /// Bit/s, upper bound; 0 is unlimited.
    pub max_encoder_bitrate: i32,
    /// Whether a pipeline measures latency.
    pub latency_stats: bool,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            encoder_bitrate: 300_000,
            min_encoder_bitrate: 0,
            max_encoder_bitrate: 0,
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
    /// By serial number, that is by age. Changed only under the registry's graph lock.
    pub(super) children: Mutex<BTreeMap<u64, Arc<Object>>>,
    /// By serial number. Changed only under the registry's graph lock.
    pub(super) holders: Mutex<HashMap<u64, Arc<Session>>>,
    pub(super) released: AtomicBool,
}

impl Object {
    /// An object that is not registered yet.
    #[must_use]
    pub fn new(
        id: Arc<str>,
        class: Arc<Class>,
        parent: Option<Arc<Object>>,
        body: Body,
    ) -> Arc<Object> {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Arc::new(Object {
            id,
            class,
            parent,
            body,
            creation_time: now.as_secs(),
            subscriptions: Subscriptions::default(),
            labels: Mutex::default(),
            transcoding: Mutex::default(),
            settings: Mutex::default(),
            calls: Arc::default(),
            serial: NEXT_SERIAL.fetch_add(1, Ordering::Relaxed),
            children: Mutex::default(),
            holders: Mutex::default(),
            released: AtomicBool::new(false),
        })
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

    /// Its pads and links, when it is an element.
    #[must_use]
    pub fn node(&self) -> Option<&Arc<Node>> {
        match &self.body {
            Body::Element { node, .. } | Body::HubPort { node } => Some(node),
            _ => None,
        }
    }

    /// Its implementation, when that lives in a module.
    #[must_use]
    pub fn instance(&self) -> Option<&Arc<dyn Instance>> {
        match &self.body {
            Body::Element { instance, .. } | Body::Hub(instance) | Body::Plain(instance) => {
                Some(instance)
            }
            Body::ServerManager | Body::Pipeline { .. } | Body::HubPort { .. } => None,
        }
    }

    /// Whether it has been destroyed.
    pub fn is_released(&self) -> bool {
        self.released.load(Ordering::Acquire)
    }

    /// The label that clients see: the name given, or the id.
    pub fn name(&self) -> String {
        self.labels
            .lock()
            .name
            .clone()
            .unwrap_or_else(|| self.id.to_string())
    }
}
