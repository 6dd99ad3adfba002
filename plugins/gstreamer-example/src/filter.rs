//! `GStreamerExample`: the control side, and pictures on their way.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering::Relaxed},
};

use rivero_filter::{Lanes, Treatment};
use rivero_gst::{
    Error as GstError,
    element::make,
    gst::{self, prelude::*},
};
use rivero_gst_filter::Media;
use rivero_plugin_api::{
    Element, ElementContext, Error, MediaKind, Packet, Result, supervise::lock,
};

use crate::api::{self, GStreamerExampleParams};

/// Of edges, until another one is set.
const THRESHOLD: i32 = 125;
/// Edges are shown by so much stronger than they are, of which their threshold is taken away.
const CONTRAST: f64 = 2.0;

/// A filter of the server.
pub(crate) struct Example {
    pictures: Arc<Pictures>,
    /// `videobalance` behind the element that finds edges.
    balance: gst::Element,
    /// Open until the filter is released.
    lanes: Mutex<Option<Lanes>>,
}

/// Both rows of elements, of which one treats pictures.
struct Pictures {
    edges: Media,
    grey: Media,
    is_grey: AtomicBool,
}

impl Element for Example {
    fn released(&self) {
        *lock(&self.lanes) = None;
        self.pictures.edges.end();
        self.pictures.grey.end();
    }
}

/// An element that is a part of GStreamer's good plugins, which `make deps` installs.
fn element(name: &str) -> Result<gst::Element> {
    make(name).map_err(|error: GstError| Error::unexpected(error.to_string()))
}

/// What takes the colours away.
fn without_colours() -> Result<gst::Element> {
    let balance = element("videobalance")?;
    balance.set_property("saturation", 0.0);
    Ok(balance)
}

fn set_threshold(balance: &gst::Element, threshold: i32) {
    balance.set_property("brightness", -f64::from(threshold) / 255.0);
}

impl api::GStreamerExample for Example {
    fn create(context: ElementContext, _: GStreamerExampleParams) -> Result<Self> {
        rivero_gst::init().map_err(|error| Error::unexpected(error.to_string()))?;
        let balance = without_colours()?;
        balance.set_property("contrast", CONTRAST);
        set_threshold(&balance, THRESHOLD);
        let edges = [
            element("edgetv")?,
            element("videoconvert")?,
            balance.clone(),
        ];
        let media =
            |elements: &[gst::Element]| Media::new(context.clone(), elements, MediaKind::Video);
        let pictures = Arc::new(Pictures {
            edges: media(&edges)?,
            grey: media(&[without_colours()?])?,
            is_grey: AtomicBool::new(false),
        });
        let treatment: Arc<dyn Treatment> = pictures.clone();
        let lanes = Lanes::open(&context, &treatment)?;
        Ok(Self {
            pictures,
            balance,
            lanes: Mutex::new(Some(lanes)),
        })
    }

    fn set_filter_type(&self, filter_type: i32) -> Result<()> {
        let is_grey = match filter_type {
            0 => false,
            1 => true,
            _ => {
                return Err(Error::illegal_parameter(
                    "filterType must be 0 (edges) or 1 (shades of grey)",
                ));
            }
        };
        self.pictures.is_grey.store(is_grey, Relaxed);
        Ok(())
    }

    fn set_edge_threshold(&self, edge_value: i32) -> Result<()> {
        if !(0..=255).contains(&edge_value) {
            return Err(Error::illegal_parameter("edgeValue must be 0 to 255"));
        }
        set_threshold(&self.balance, edge_value);
        Ok(())
    }
}

impl Treatment for Pictures {
    fn treat(&self, media: Packet, out: &mut Vec<Packet>) {
        match self.is_grey.load(Relaxed) {
            true => self.grey.treat(media, out),
            false => self.edges.treat(media, out),
        }
    }
}
