//! `Composite`: the pictures of all ports in one, and everybody hears all others.

mod label;
mod layout;
mod stage;

use std::sync::{Arc, Mutex, Weak};

use rivero_filter::{Image, LoadError, Loader, Source};
use rivero_plugin_api::{Element, ElementContext, ObjectRef, Result, host, supervise::lock};

use crate::{
    api::{
        self, CompositeEvents, CompositeLayout, CompositeParams, CompositePort, CompositePortStats,
    },
    mixed::Mixed,
    picture::{Arrange, Arrangement, Shown},
    settings::Output,
    switch::no_port,
};
use layout::Layout;
use stage::{Port, Stage, View};

pub(crate) struct Composite {
    context: ElementContext,
    stage: Arc<Mutex<Stage>>,
    mixed: Arc<Mixed>,
}

impl Element for Composite {
    fn released(&self) {
        self.mixed.close();
        let ports = std::mem::take(&mut lock(&self.stage).ports);
        for port in ports.into_values() {
            port.loader.cancel();
        }
    }

    fn port_added(&self, id: &str, port: ElementContext) -> Result<()> {
        lock(&self.stage)
            .ports
            .insert(id.to_owned(), Port::default());
        let opened = self.mixed.add_port(id, &port);
        // A port that is refused is not removed by the host.
        opened.inspect_err(|_| self.port_removed(id))
    }

    fn port_removed(&self, id: &str) {
        self.mixed.remove_port(id);
        let gone = lock(&self.stage).ports.remove(id);
        // Not under the lock: see `Loader::cancel`.
        if let Some(port) = gone {
            port.loader.cancel();
        }
    }
}

/// The source of an image; `None` for an empty URI.
fn source(uri: &str) -> Result<Option<Source>> {
    (!uri.is_empty()).then(|| Source::parse(uri)).transpose()
}

impl Composite {
    fn load(&self, port: String, source: Source, loader: &Loader) -> Result<()> {
        let (context, mixed) = (self.context.clone(), Arc::downgrade(&self.mixed));
        let done = move |loaded: std::result::Result<Image, LoadError>| match loaded {
            Ok(image) => {
                if let Some(mixed) = mixed.upgrade() {
                    mixed.pictures.set_stand_in(&port, Some(&image));
                }
            }
            Err(error) => {
                let text = format!("the image of port {port}: {error}");
                tracing::info!(error = text, "an image is not shown");
                context.error(error.kind(), 0, &text);
            }
        };
        loader.load(source, Box::new(done))
    }

    /// Changes what is known of a port.
    fn change<T>(
        &self,
        port: &ObjectRef,
        change: impl FnOnce(&mut Port) -> Result<T>,
    ) -> Result<T> {
        let mut stage = lock(&self.stage);
        let known = stage.ports.get_mut(&port.0);
        change(known.ok_or_else(|| no_port(&port.0))?)
    }
}

impl api::Composite for Composite {
    fn create(context: ElementContext, params: CompositeParams) -> Result<Self> {
        let asked = Output {
            width: params.width,
            height: params.height,
            framerate: params.framerate,
        };
        let output = asked.or(Output::load()?)?;
        let stage = Arc::new(Mutex::new(Stage::new(output)));
        let arrange = Seen {
            stage: stage.clone(),
            context: context.clone(),
        };
        let mixed = Mixed::new(arrange, output.rate(), &context)?;
        let (floor, speaker) = (context.clone(), Arc::downgrade(&stage));
        let told = move |port: Option<&str>| floor_is_taken(&floor, &speaker, port);
        mixed.sound.on_speaker(told);
        Ok(Self {
            mixed: Arc::new(mixed),
            stage,
            context,
        })
    }

    fn set_layout(&self, layout: CompositeLayout) -> Result<()> {
        let layout = Layout::parse(layout)?;
        let name = layout.name;
        lock(&self.stage).layout = layout;
        self.context.layout_changed(name);
        Ok(())
    }

    fn set_port(&self, port: ObjectRef, mut settings: CompositePort) -> Result<()> {
        let image = settings.fallback_image.take();
        let image = image.as_deref().map(source).transpose()?;
        let (loudness, loader) = self.change(&port, |port| {
            port.change(settings)?;
            Ok((port.loudness(), port.loader.clone()))
        })?;
        self.mixed.sound.set_volume(&port.0, loudness);
        match image {
            Some(Some(source)) => self.load(port.0, source, &loader),
            Some(None) => {
                loader.cancel();
                self.mixed.pictures.set_stand_in(&port.0, None);
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn set_port_layout(
        &self,
        port: ObjectRef,
        layout: Option<CompositeLayout>,
        exclude_self: bool,
    ) -> Result<()> {
        let view = View {
            layout: layout.map(Layout::parse).transpose()?,
            excludes_self: exclude_self,
        };
        self.change(&port, |port| {
            port.view = view;
            Ok(())
        })?;
        self.mixed.pictures.change_view(&port.0);
        Ok(())
    }

    fn set_output(&self, width: i32, height: i32, framerate: i32) -> Result<()> {
        let asked = Output {
            width,
            height,
            framerate,
        };
        let mut stage = lock(&self.stage);
        stage.output = asked.or(stage.output)?;
        self.mixed.pictures.set_rate(stage.output.rate());
        Ok(())
    }

    fn get_port_stats(&self, port: ObjectRef) -> Result<CompositePortStats> {
        let pictures = self
            .mixed
            .pictures
            .counts(&port.0)
            .ok_or_else(|| no_port(&port.0))?;
        let (late, speed) = self.mixed.sound.counts(&port.0);
        let now = host().map_or(0, rivero_plugin_api::Host::now);
        Ok(CompositePortStats {
            late,
            repeated: pictures.repeated,
            dropped: pictures.dropped,
            drift: speed * 1e6,
            age: pictures
                .arrival
                .map_or(-1, |arrival| (now - arrival) / 1_000_000),
        })
    }
}

fn floor_is_taken(context: &ElementContext, stage: &Weak<Mutex<Stage>>, port: Option<&str>) {
    if let Some(stage) = stage.upgrade() {
        lock(&stage).speaker = port.map(str::to_owned);
        context.active_speaker_changed(port.unwrap_or_default().to_owned());
    }
}

/// The stage as pictures are made of it.
struct Seen {
    stage: Arc<Mutex<Stage>>,
    context: ElementContext,
}

impl Arrange for Seen {
    fn arrange(&self, shown: &[Shown<'_>], viewer: &str) -> Arrangement {
        lock(&self.stage).arrange(shown, viewer)
    }

    fn is_common(&self, viewer: &str) -> bool {
        let stage = lock(&self.stage);
        let port = stage.ports.get(viewer);
        port.is_none_or(|port| port.view.is_common())
    }

    fn stalled(&self, port: &str, is_stalled: bool) {
        if is_stalled {
            self.context.port_stalled(port.to_owned());
        } else {
            self.context.port_resumed(port.to_owned());
        }
    }
}
