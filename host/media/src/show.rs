//! Source pads that show others.
//!
//! A hub whose ports all have the same picture opens one pad for it, and lets the pads of its ports show
//! that one. Their links stay those of the ports, as clients have made them; but their media comes from the pad
//! that is shown, whose consumers they are, and whose conversions they share: a picture is encoded once for all
//! who see it in one format.
//!
//! *Invariant:* what is shown shows nothing itself, so that a look is one step. Both ends know of each other
//! ([`Element::shows`], [`Element::shown_by`]) as long as both pads are open.
//!
//! [`Element::shows`]: crate::element::Element::shows
//! [`Element::shown_by`]: crate::element::Element::shown_by

use std::sync::Arc;

use rivero_plugin_api::MediaKind;

use crate::{
    changes::Locked,
    connection::PadKey,
    convert::{bitrate::EncoderRates, stage::Place},
    element::Pad,
    flow::Flow,
    link::Link,
};

/// Why a pad cannot show another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotShown {
    /// There is no such pad.
    #[error("a pad can show an open source pad of the same pipeline only")]
    Unknown,
    /// One is for sound and the other for pictures, say.
    #[error("a pad can show a pad of its own kind of media only")]
    Kind,
    /// One of them is in between.
    #[error("a pad that shows another one cannot be shown itself")]
    Chain,
}

impl Locked<'_> {
    /// Where the media of a source pad comes from: the pad itself, or the one that it shows.
    fn shown(&self, id: &Arc<str>, key: &PadKey) -> Pad {
        let element = self.elements.get(id);
        let shown = element.and_then(|element| element.shows.get(key));
        shown.cloned().unwrap_or_else(|| (id.clone(), key.clone()))
    }

    pub(crate) fn is_showing(&self, id: &Arc<str>, key: &PadKey) -> bool {
        let element = self.elements.get(id);
        element.is_some_and(|element| element.shows.contains_key(key))
    }

    /// The pad that feeds a link.
    pub(crate) fn pad_of(&self, link: &Link) -> Pad {
        self.shown(&link.connection.source, &link.connection.source_key())
    }

    /// The links of source pads.
    pub(crate) fn links_of(&self, pads: &[Pad]) -> Vec<Arc<Link>> {
        let links = pads.iter().filter_map(|(id, key)| {
            let element = self.elements.get(id)?;
            element.outputs.get(key).cloned()
        });
        links.flatten().collect()
    }

    /// Whether links of an element carry media of a kind that comes from pads of others, and whether that is decoded
    /// or encoded for them.
    pub(crate) fn carries(&self, id: &Arc<str>, kind: MediaKind) -> (bool, bool) {
        let Some(element) = self.elements.get(id) else {
            return (false, false);
        };
        let shows = element.shows.keys().filter(|key| key.kind == kind);
        let links = shows.filter_map(|key| element.outputs.get(key)).flatten();
        links.fold((false, false), |(any, transcoding), link| {
            let carries = link.carries();
            (any | carries.0, transcoding | carries.1)
        })
    }

    /// The bitrates of the element whose link it is, where they are not those of the pad that feeds it.
    pub(crate) fn own_rates(&self, place: &Place, link: &Link) -> Option<EncoderRates> {
        let source = &link.connection.source;
        if *source == place.element || place.key.kind != MediaKind::Video {
            return None;
        }
        let own = self.elements.get(source)?.rates.get();
        (own != place.rates.get()).then_some(own)
    }

    /// Other bitrates hold for an element: what it shows may have to be encoded for it alone, or no longer.
    pub(crate) fn refresh_shows(&mut self, id: &Arc<str>) {
        let Some(element) = self.elements.get(id) else {
            return;
        };
        let pads: Vec<Pad> = { element.shows.keys() }
            .map(|key| (id.clone(), key.clone()))
            .collect();
        for link in self.links_of(&pads) {
            self.refresh_link(&link);
        }
    }

    pub(crate) fn show(
        &mut self,
        id: &Arc<str>,
        key: &PadKey,
        pad: Option<u32>,
    ) -> Result<(), NotShown> {
        let element = self.elements.get(id).ok_or(NotShown::Unknown)?;
        let own = element.sources.get(key).ok_or(NotShown::Unknown)?;
        let target = match pad.filter(|pad| *pad != own.id()) {
            Some(pad) => Some(self.pad(pad).ok_or(NotShown::Unknown)?),
            None => None,
        };
        if let Some((other, other_key)) = &target {
            if other_key.kind != key.kind {
                return Err(NotShown::Kind);
            }
            if element.shown_by.contains_key(key) || self.is_showing(other, other_key) {
                return Err(NotShown::Chain);
            }
        }
        self.set_shown(id, key, target);
        Ok(())
    }

    /// The open source pad with a number.
    fn pad(&self, number: u32) -> Option<Pad> {
        self.elements.iter().find_map(|(id, element)| {
            let mut sources = element.sources.iter();
            let (key, _) = sources.find(|(_, source)| source.id() == number)?;
            Some((id.clone(), key.clone()))
        })
    }

    fn set_shown(&mut self, id: &Arc<str>, key: &PadKey, target: Option<Pad>) {
        let Some(element) = self.elements.get_mut(id) else {
            return;
        };
        if element.shows.get(key) == target.as_ref() {
            return;
        }
        let pad = (id.clone(), key.clone());
        let links = self.links_of(std::slice::from_ref(&pad));
        // Where they are now, first: what only they need there ends.
        for link in &links {
            self.end_link(link);
        }
        let Some(element) = self.elements.get_mut(id) else {
            return;
        };
        let former = match &target {
            Some(target) => element.shows.insert(key.clone(), target.clone()),
            None => element.shows.remove(key),
        };
        if let Some(former) = former {
            self.change_shown_by(&former, |pads| pads.retain(|known| *known != pad));
        }
        if let Some(target) = &target {
            self.change_shown_by(target, |pads| pads.push(pad));
        }
        for link in &links {
            self.refresh_link(link);
            if !link.carries().0 {
                let connection = &link.connection;
                self.end_feed(&connection.sink.clone(), &connection.sink_key());
            }
        }
    }

    fn change_shown_by(&mut self, (id, key): &Pad, change: impl FnOnce(&mut Vec<Pad>)) {
        let Some(element) = self.elements.get_mut(id) else {
            return;
        };
        let pads = element.shown_by.entry(key.clone()).or_default();
        change(pads);
        let pads = pads.clone();
        if pads.is_empty() {
            element.shown_by.remove(key);
        }
        let source = element.sources.get(key).cloned();
        let flows = pads.iter().filter_map(|(id, key)| {
            let source = self.elements.get(id)?.sources.get(key)?;
            Some(source.flow().clone())
        });
        let flows: Vec<Arc<Flow>> = flows.collect();
        if let Some(source) = source {
            source.set_shown_by(flows);
        }
    }

    /// A source pad closes: it shows nothing, and who showed it shows itself again.
    pub(crate) fn end_shows_of(&mut self, id: &Arc<str>, key: &PadKey) {
        self.set_shown(id, key, None);
        let element = self.elements.get(id);
        let shown_by = element.and_then(|element| element.shown_by.get(key));
        for (other, other_key) in shown_by.cloned().unwrap_or_default() {
            self.set_shown(&other, &other_key, None);
        }
    }

    /// An element goes.
    pub(crate) fn end_shows(&mut self, id: &Arc<str>) {
        let Some(element) = self.elements.get(id) else {
            return;
        };
        let keys: Vec<PadKey> = { element.shows.keys() }
            .chain(element.shown_by.keys())
            .cloned()
            .collect();
        for key in keys {
            self.end_shows_of(id, &key);
        }
    }
}
