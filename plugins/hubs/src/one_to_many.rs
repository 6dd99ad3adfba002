//! `DispatcherOneToMany`: all ports get the media of the one that is chosen.

use std::sync::Mutex;

use rivero_plugin_api::{Element, ElementContext, ObjectRef, Result, supervise::lock};

use crate::{
    api::{self, DispatcherOneToManyParams},
    switch::Switches,
};

pub(crate) struct DispatcherOneToMany {
    switches: Switches,
    /// The port that all others get.
    chosen: Mutex<Option<String>>,
}

impl Element for DispatcherOneToMany {
    fn released(&self) {
        self.switches.close();
    }

    fn port_added(&self, id: &str, port: ElementContext) -> Result<()> {
        self.switches.add_port(id, &port)?;
        let chosen = lock(&self.chosen).clone();
        if let Some(source) = chosen
            && let Err(error) = self.switches.connect(&source, id)
        {
            // The chosen port has gone meanwhile; the new one gets nothing, as all others do.
            tracing::debug!(%error, "a new port gets nothing");
        }
        Ok(())
    }

    fn port_removed(&self, id: &str) {
        lock(&self.chosen).take_if(|chosen| chosen == id);
        self.switches.remove_port(id);
    }
}

impl api::DispatcherOneToMany for DispatcherOneToMany {
    fn create(_: ElementContext, _: DispatcherOneToManyParams) -> Result<Self> {
        Ok(Self {
            switches: Switches::default(),
            chosen: Mutex::default(),
        })
    }

    fn set_source(&self, source: ObjectRef) -> Result<()> {
        self.switches.connect_all(&source.0)?;
        *lock(&self.chosen) = Some(source.0);
        Ok(())
    }

    fn remove_source(&self) -> Result<()> {
        *lock(&self.chosen) = None;
        self.switches.disconnect_all();
        Ok(())
    }
}
