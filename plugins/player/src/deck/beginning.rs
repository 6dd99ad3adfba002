//! How a playback begins: what its URI leads to is looked up, asked for or read.

use std::{net::IpAddr, sync::Arc};

use rivero_gst::playback::Notice;
use rivero_plugin_api::supervise::{self, contain, lock};
use rivero_uri::Access;

use super::{Command, Drive, NAME};
use crate::{
    failure::Failure,
    feed::{Feed, Opened, What},
    playback::{Origin, Playback},
    source::{Lookup, Way},
};

/// Names of hosts that are looked up.
#[derive(Default)]
pub(super) struct Lookups {
    /// A thread looks one up.
    is_busy: bool,
    /// What the playback that is opened has to know.
    pub(super) wanted: Option<Lookup>,
}

impl Drive {
    pub(super) fn begin(&mut self) -> std::result::Result<(), Failure> {
        self.end();
        self.number += 1;
        let policy = self.spec.base.policy();
        let location = self.items.current().unwrap_or(self.spec.base.location());
        policy.check(location, Access::Read)?;
        match Way::to(location, policy, self.spec.setup.clone())? {
            Way::Element(source) => self.start(Origin::Element(source)),
            Way::Named(source, lookup) => {
                self.lookups.wanted = Some(*lookup);
                self.look_up()?;
                self.opening = Some(Origin::Element(source));
                Ok(())
            }
            Way::Http(url) => self.open(What::Url(url)),
            Way::List(text) if text.is_hls() => self.open(What::Stream(text)),
            Way::List(text) => {
                self.items.insert(text.entries()?)?;
                self.begin()
            }
        }
    }

    fn open(&mut self, what: What) -> std::result::Result<(), Failure> {
        let (number, own) = (self.number, self.own.clone());
        let opened = move |result| {
            // A thread that ended wants to know nothing.
            let _ = own.send(Command::Opened(number, result));
        };
        let policy = self.spec.base.policy().clone();
        let feed = Feed::open(what, policy, self.spec.encoded, opened)?;
        self.opening = Some(Origin::Feed(feed));
        Ok(())
    }

    /// In a thread of its own, since nothing ends a lookup early, and one at a time. What it finds counts for a later
    /// playback as well, if that wants to know the same.
    fn look_up(&mut self) -> std::result::Result<(), Failure> {
        let Some(lookup) = self
            .lookups
            .wanted
            .clone()
            .filter(|_| !self.lookups.is_busy)
        else {
            return Ok(());
        };
        let own = self.own.clone();
        let look_up = move || {
            let found = contain(|| lookup.check());
            let found = found.unwrap_or_else(|text| Err(Failure::panicked(NAME, text)));
            // A thread that ended wants to know nothing.
            let _ = own.send(Command::LookedUp(lookup, found));
        };
        supervise::thread("player-lookup", look_up).map_err(Failure::Thread)?;
        self.lookups.is_busy = true;
        Ok(())
    }

    pub(super) fn looked_up(
        &mut self,
        lookup: &Lookup,
        result: std::result::Result<IpAddr, Failure>,
    ) {
        self.lookups.is_busy = false;
        if self.lookups.wanted.as_ref() != Some(lookup) {
            // That was for an entry of a list that is over.
            if let Err(failure) = self.look_up() {
                self.opened(Err(failure));
            }
            return;
        }
        self.lookups.wanted = None;
        if let (Ok(address), Some(Origin::Element(source))) = (&result, &mut self.opening) {
            source.pin(*address);
        }
        self.opened(result.map(|_| Opened::Media));
    }

    pub(super) fn opened(&mut self, result: std::result::Result<Opened, Failure>) {
        let Some(origin) = self.opening.take() else {
            return;
        };
        let begun = result.and_then(|opened| match opened {
            Opened::Media => self.start(origin),
            Opened::List(entries) => {
                self.items.insert(entries)?;
                self.begin()
            }
        });
        if let Err(failure) = begun {
            self.fail(&failure);
        }
        // What a list names may have to be opened, too.
        if self.opening.is_none() {
            self.wait_no_more();
        }
    }

    fn start(&mut self, origin: Origin) -> std::result::Result<(), Failure> {
        let (number, own) = (self.number, self.own.clone());
        let tell = Arc::new(move |notice: Notice| {
            // A thread that ended wants to know nothing.
            let _ = own.send(Command::Notice(number, notice));
        });
        let playback = Playback::new(origin, self.spec.encoded, self.spec.outlets.clone(), tell)?;
        {
            let mut current = lock(&self.current);
            current.pipeline.set(Some(playback.pipeline()));
            current.names = playback.names().cloned();
        }
        self.playback = Some(playback);
        self.apply();
        Ok(())
    }
}
