//! `Composite`: the pictures of all ports in one, and everybody hears all others.

mod layout;
mod stage;

use std::sync::{Arc, Mutex, Weak};

use rivero_plugin_api::{Element, ElementContext, ObjectRef, Result, host, supervise::lock};

use crate::{
    api::{
        self, CompositeEvents, CompositeLayout, CompositeParams, CompositePort, CompositePortStats,
    },
    messages::Messages,
    picture::{Arrange, Arrangement, PictureMix, Shown},
    settings::Output,
    sound::{Hearing, SoundMix},
    switch::no_port,
};
use layout::Layout;
use stage::{Port, Stage, View};

pub(crate) struct Composite {
    context: ElementContext,
    stage: Arc<Mutex<Stage>>,
    pictures: Arc<PictureMix>,
    sound: Arc<SoundMix>,
    messages: Arc<Messages>,
}

impl Element for Composite {
    fn released(&self) {
        self.pictures.close();
        self.sound.close();
        self.messages.close();
    }

    fn port_added(&self, id: &str, port: ElementContext) -> Result<()> {
        lock(&self.stage)
            .ports
            .insert(id.to_owned(), Port::default());
        let opened = self
            .pictures
            .add_port(id, &port)
            .and_then(|()| self.sound.add_port(id, &port))
            .and_then(|()| self.messages.add_port(id, &port));
        // A port that is refused is not removed by the host.
        opened.inspect_err(|_| self.port_removed(id))
    }

    fn port_removed(&self, id: &str) {
        self.pictures.remove_port(id);
        self.sound.remove_port(id);
        self.messages.remove_port(id);
        lock(&self.stage).ports.remove(id);
    }
}

impl Composite {
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
        let sound = SoundMix::new(Hearing::Others, &context)?;
        let (floor, speaker) = (context.clone(), Arc::downgrade(&stage));
        sound.on_speaker(move |port| floor_is_taken(&floor, &speaker, port));
        Ok(Self {
            pictures: PictureMix::new(arrange, output.rate(), &context)?,
            sound,
            messages: Arc::default(),
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

    fn set_port(&self, port: ObjectRef, settings: CompositePort) -> Result<()> {
        let loudness = self.change(&port, |port| {
            port.change(settings)?;
            Ok(port.loudness())
        })?;
        self.sound.set_volume(&port.0, loudness);
        Ok(())
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
        self.pictures.change_view(&port.0);
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
        self.pictures.set_rate(stage.output.rate());
        Ok(())
    }

    fn get_port_stats(&self, port: ObjectRef) -> Result<CompositePortStats> {
        let pictures = self
            .pictures
            .counts(&port.0)
            .ok_or_else(|| no_port(&port.0))?;
        let (late, speed) = self.sound.counts(&port.0);
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
