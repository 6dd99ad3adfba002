//! One element of a graph: its pads and links, as the control side keeps them.

use std::{collections::HashMap, sync::Arc};

use rivero_plugin_api::MediaKind;

use crate::{
    connection::{NodeObserver, PadKey},
    convert::{bitrate::SharedRates, route::ForcedFormat, tree::Tree},
    link::Link,
    sink::Sink,
    source::Source,
};

/// A pad of this kind and description is open already, or the element is gone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the element has no place for another pad of this kind and description")]
pub struct PadExists;

/// A pad, by the id of its element and its key there.
pub(crate) type Pad = (Arc<str>, PadKey);

/// One element's pads and links.
pub(crate) struct Element {
    pub(crate) observer: Arc<dyn NodeObserver>,
    pub(crate) sources: HashMap<PadKey, Arc<Source>>,
    pub(crate) sinks: HashMap<PadKey, Arc<Sink>>,
    pub(crate) inputs: HashMap<PadKey, Arc<Link>>,
    pub(crate) outputs: HashMap<PadKey, Vec<Arc<Link>>>,
    /// What runs at its source pads.
    pub(crate) conversions: HashMap<PadKey, Tree>,
    /// Bitrates of the encoders among them.
    pub(crate) rates: Arc<SharedRates>,
    /// What its inputs are to get, by kind.
    pub(crate) forced: HashMap<MediaKind, ForcedFormat>,
    /// Source pads of other elements that its own show.
    pub(crate) shows: HashMap<PadKey, Pad>,
    /// Pads of other elements that show its source pads.
    pub(crate) shown_by: HashMap<PadKey, Vec<Pad>>,
    /// What listeners were told last, by kind.
    pub(crate) transcoding: HashMap<MediaKind, bool>,
}

impl Element {
    pub(crate) fn new(observer: Arc<dyn NodeObserver>) -> Self {
        Self {
            observer,
            sources: HashMap::new(),
            sinks: HashMap::new(),
            inputs: HashMap::new(),
            outputs: HashMap::new(),
            conversions: HashMap::new(),
            rates: Arc::default(),
            forced: HashMap::new(),
            shows: HashMap::new(),
            shown_by: HashMap::new(),
            transcoding: HashMap::new(),
        }
    }
}
