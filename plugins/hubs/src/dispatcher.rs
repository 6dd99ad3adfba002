//! `Dispatcher`: any port can get the media of any port.

use rivero_plugin_api::{Element, ElementContext, ObjectRef, Result};

use crate::{
    api::{self, DispatcherParams},
    switch::Switches,
};

pub(crate) struct Dispatcher(Switches);

impl Element for Dispatcher {
    fn released(&self) {
        self.0.close();
    }

    fn port_added(&self, id: &str, port: ElementContext) -> Result<()> {
        self.0.add_port(id, &port)
    }

    fn port_removed(&self, id: &str) {
        self.0.remove_port(id);
    }
}

impl api::Dispatcher for Dispatcher {
    fn create(_: ElementContext, _: DispatcherParams) -> Result<Self> {
        Ok(Self(Switches::default()))
    }

    fn connect(&self, source: ObjectRef, sink: ObjectRef) -> Result<()> {
        self.0.connect(&source.0, &sink.0)
    }
}
