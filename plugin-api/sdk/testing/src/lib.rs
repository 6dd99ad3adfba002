//! A pipeline without a server, for the tests of a module: the server's own media plane, a clock that only tests move on,
//! and pictures and sound made of nothing.
//!
//! ```ignore
//! let pipeline = rivero_sdk::testing::pipeline!();
//! let filter = pipeline.create(class(), json!({ "strength": 5 }))?;
//! let (camera, screen) = (pipeline.camera(64, 48), pipeline.screen());
//! camera.connect(&filter);
//! filter.connect(&screen);
//! camera.show([255, 0, 0]);
//! assert_eq!(screen.pictures().len(), 1);
//! ```
//!
//! Everything happens on the thread of the test, at once, but for threads that the module starts. The pipelines of one process take turns, since its
//! clock and formats are one; so tests may run side by side.
#![allow(
    clippy::panic,
    clippy::expect_used,
    reason = "what goes wrong here is to fail the test"
)]

mod converter;
mod element;
mod host;
mod loaded;
mod media;
mod pads;

use std::{
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use rivero_media::Graph;
use rivero_plugin_api::{Class, Format, MediaKind, Module, Packet, Result, supervise::lock};
use serde_json::{Map, Value};

pub use element::{Element, Linked, is_panic};
pub use loaded::{Loaded, is_unanswered};
pub use media::{Camera, Microphone, Screen, Seen, Sender};

use host::TestHost;

/// One pipeline at a time.
static TURN: Mutex<()> = Mutex::new(());

/// A pipeline; what was made in it is released with it.
pub struct Pipeline {
    host: Arc<TestHost>,
    graph: Arc<Graph>,
    manifest: Value,
    elements: Mutex<Vec<Arc<element::Held>>>,
    numbers: AtomicUsize,
    /// Last, so that the next one begins when everything is gone.
    _turn: MutexGuard<'static, ()>,
}

/// A pipeline that knows the descriptor of the module whose tests these are.
#[macro_export]
macro_rules! test_pipeline {
    () => {
        $crate::Pipeline::new(include_str!(concat!(env!("OUT_DIR"), "/module.json")))
    };
}

pub use test_pipeline as pipeline;

impl Pipeline {
    /// A pipeline for a module with this manifest, which `build.rs` has written. Waits for its turn.
    ///
    /// # Panics
    /// When the manifest is none.
    pub fn new(manifest: &str) -> Self {
        let turn = lock(&TURN);
        let host = host::installed();
        host.begin();
        Self {
            graph: Graph::new(host.plane()),
            host,
            manifest: serde_json::from_str(manifest).expect("the manifest is JSON"),
            elements: Mutex::default(),
            numbers: AtomicUsize::new(0),
            _turn: turn,
        }
    }

    /// Makes an object, as a client would with these parameters: those that are not given have the descriptor's defaults. The
    /// pipeline's own need not be given.
    ///
    /// # Errors
    /// What the client would hear; 40001 for a parameter that is missing or unknown.
    pub fn create(&self, class: Class, parameters: Value) -> Result<Element> {
        let parameters = element::completed(&self.manifest, &class.name, parameters)?;
        let id = self.unused_id(&class.name);
        let element = Element::create(&self.graph, &id, &class, parameters)?;
        Ok(self.kept(element))
    }

    /// Makes an object of a loaded module. Nothing fills in defaults here.
    ///
    /// # Errors
    /// What the client would hear.
    pub fn create_loaded(
        &self,
        module: &Loaded,
        class: &str,
        parameters: &Value,
    ) -> Result<Element> {
        let id = self.unused_id(class);
        let create = |host| module.create(class, host, parameters);
        let element = Element::make(&self.graph, &id, |host| {
            Ok(element::Instance::Loaded(create(host)?))
        })?;
        Ok(self.kept(element))
    }

    fn unused_id(&self, class: &str) -> String {
        format!("{class}-{}", self.numbers.fetch_add(1, Relaxed))
    }

    /// It is released with the pipeline, unless it was before.
    fn kept(&self, element: Element) -> Element {
        let mut elements = lock(&self.elements);
        elements.retain(|held| !held.is_released());
        elements.push(element.held());
        drop(elements);
        element
    }

    /// A port of a hub, as a client would make it. It goes when it is dropped.
    ///
    /// # Errors
    /// The hub's
    pub fn port(&self, hub: &Element) -> Result<Element> {
        let port = hub.add_port(&self.graph, &self.unused_id("HubPort"))?;
        Ok(self.kept(port))
    }

    /// An element that sends pictures of this size.
    pub fn camera(&self, width: usize, height: usize) -> Camera {
        Camera::new(&self.host, &self.graph, (width, height))
    }

    /// An element that sends sound of so many samples a second and channel.
    pub fn microphone(&self, rate: u32, channels: u8) -> Microphone {
        Microphone::new(&self.host, &self.graph, (rate, channels))
    }

    /// An element that sends media of this format.
    pub fn sender(&self, kind: MediaKind, format: Format) -> Sender {
        Sender::new(&self.host, &self.graph, (kind, format))
    }

    /// An element that takes whatever comes, and keeps it.
    pub fn screen(&self) -> Screen {
        Screen::new(&self.host, &self.graph)
    }

    /// What converter number `index` of a module makes of these packets, from one format to another.
    ///
    /// # Errors
    /// What its constructor answers, or what it fails with.
    pub fn convert(
        &self,
        definition: fn() -> Module,
        index: u32,
        formats: (&Format, &Format),
        packets: &[Packet],
    ) -> Result<Vec<Packet>> {
        converter::convert(definition, index, formats, packets)
    }

    /// The same with a converter of a loaded module.
    ///
    /// # Errors
    /// What its constructor answers, or what it fails with.
    pub fn convert_loaded(
        &self,
        module: &Loaded,
        index: u32,
        formats: (&Format, &Format),
        packets: &[Packet],
    ) -> Result<Vec<Packet>> {
        converter::convert_by(&self.host, module.module(), index, formats, packets)
    }

    /// How many timers wait for their time.
    pub fn timers(&self) -> usize {
        self.host.timers()
    }

    /// The number of a format, as packets have it.
    pub fn format_id(&self, format: Format) -> u32 {
        self.host.number(format)
    }

    /// Moves the clock on; timers that are due meanwhile run in their order.
    pub fn advance(&self, time: Duration) {
        self.host.advance(time);
    }

    /// The clock of the pipeline, ns.
    pub fn now(&self) -> i64 {
        self.host.time()
    }

    /// What a class finds in the server's configuration from now on.
    pub fn configure(&self, class: &str, settings: Map<String, Value>) {
        self.host.configure(class, settings);
    }

    /// The value of a counter or gauge that the module has set, over all labels.
    pub fn metric(&self, name: &str) -> Option<f64> {
        self.host.metric_named(name)
    }
}

impl Drop for Pipeline {
    fn drop(&mut self) {
        for element in lock(&self.elements).drain(..) {
            element.release();
        }
        self.host.end();
    }
}
