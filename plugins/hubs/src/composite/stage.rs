//! What is known of a composite's ports, and so what each of them sees.

use std::{collections::HashMap, sync::Arc};

use rivero_filter::Loader;
use rivero_plugin_api::{Error, Result};

use super::{
    label,
    layout::{Candidate, Layout},
};
use crate::{
    api::CompositePort,
    picture::{Arrangement, Shown},
    settings::Output,
};

/// The loudest that a port may be made, as a factor: 12 dB.
const LOUDEST: f32 = 4.0;

/// Size, layout and ports.
pub(super) struct Stage {
    pub(super) output: Output,
    pub(super) layout: Layout,
    pub(super) ports: HashMap<String, Port>,
    /// Who has the floor.
    pub(super) speaker: Option<String>,
}

/// One port, as the client wants it.
pub(super) struct Port {
    reservation: Option<String>,
    volume: f32,
    is_muted: bool,
    is_hidden: bool,
    order: i32,
    label: Option<Arc<str>>,
    pub(super) view: View,
    /// Of the image that is shown where it has no picture.
    pub(super) loader: Loader,
}

/// What one port sees.
#[derive(Clone, Debug, Default)]
pub(super) struct View {
    /// That of the hub where it has none of its own.
    pub(super) layout: Option<Layout>,
    /// It does not see itself.
    pub(super) excludes_self: bool,
}

impl View {
    /// It is what the hub has for all.
    pub(super) fn is_common(&self) -> bool {
        self.layout.is_none() && !self.excludes_self
    }
}

impl Default for Port {
    fn default() -> Self {
        Self {
            reservation: None,
            volume: 1.0,
            is_muted: false,
            is_hidden: false,
            order: 0,
            label: None,
            view: View::default(),
            loader: Loader::default(),
        }
    }
}

impl Port {
    /// Takes over what is set.
    ///
    /// # Errors
    /// 40107 saying what makes no sense; nothing has changed then
    pub(super) fn change(&mut self, settings: CompositePort) -> Result<()> {
        let volume = settings.volume.unwrap_or(self.volume);
        if !(0.0..=LOUDEST).contains(&volume) {
            let text = format!("volume is {volume}; it should be from 0 to {LOUDEST}");
            return Err(Error::illegal_parameter(text));
        }
        if let Some(label) = settings.label {
            self.label = label::checked(label)?;
        }
        self.volume = volume;
        if let Some(reservation) = settings.reservation {
            self.reservation = Some(reservation).filter(|reservation| !reservation.is_empty());
        }
        self.is_muted = settings.muted.unwrap_or(self.is_muted);
        self.is_hidden = settings.hidden.unwrap_or(self.is_hidden);
        self.order = settings.order.unwrap_or(self.order);
        Ok(())
    }

    /// How loud others hear it.
    pub(super) fn loudness(&self) -> f32 {
        if self.is_muted { 0.0 } else { self.volume }
    }
}

impl Stage {
    pub(super) fn new(output: Output) -> Self {
        Self {
            output,
            layout: Layout::default(),
            ports: HashMap::new(),
            speaker: None,
        }
    }

    pub(super) fn arrange(&self, shown: &[Shown<'_>], viewer: &str) -> Arrangement {
        let view = self.ports.get(viewer).map(|port| &port.view);
        let layout = view
            .and_then(|view| view.layout.as_ref())
            .unwrap_or(&self.layout);
        let excluded = view.filter(|view| view.excludes_self).map(|_| viewer);
        let mut seen: Vec<(i32, Candidate<'_>)> = Vec::new();
        for (number, shown) in shown.iter().enumerate() {
            let port = self.ports.get(shown.port);
            let is_hidden = port.is_some_and(|port| port.is_hidden);
            if is_hidden || excluded == Some(shown.port) {
                continue;
            }
            let candidate = Candidate {
                number,
                reservation: port.and_then(|port| port.reservation.as_deref()),
                speaks: self.speaker.as_deref() == Some(shown.port),
                label: port.and_then(|port| port.label.as_ref()),
            };
            seen.push((port.map_or(0, |port| port.order), candidate));
        }
        // Those of the same number stay in the order in which they came.
        seen.sort_by_key(|(order, _)| *order);
        let candidates: Vec<Candidate<'_>> =
            seen.into_iter().map(|(_, candidate)| candidate).collect();
        let Output { width, height, .. } = self.output;
        Arrangement {
            width,
            height,
            background: layout.background,
            tiles: layout.tiles(&candidates, width, height),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(port: &str) -> Shown<'_> {
        Shown {
            port,
            width: 320,
            height: 240,
        }
    }

    fn settings() -> CompositePort {
        CompositePort {
            reservation: None,
            volume: None,
            muted: None,
            hidden: None,
            order: None,
            label: None,
            fallback_image: None,
        }
    }

    fn seen(stage: &Stage, viewer: &str) -> Vec<usize> {
        let all = ["a", "b", "c"].map(shown);
        let tiles = stage.arrange(&all, viewer).tiles;
        tiles.into_iter().map(|placed| placed.number).collect()
    }

    #[test]
    fn own_views_leave_out_oneself_and_the_hidden() {
        let mut stage = Stage::new(Output::default());
        for port in ["a", "b", "c"] {
            let mut port_settings = Port::default();
            port_settings.view.excludes_self = true;
            stage.ports.insert(port.to_owned(), port_settings);
        }
        let hidden = CompositePort {
            hidden: Some(true),
            ..settings()
        };
        stage.ports.get_mut("c").unwrap().change(hidden).unwrap();
        assert_eq!(seen(&stage, "a"), [1]);
        assert_eq!(seen(&stage, "b"), [0]);
        assert_eq!(seen(&stage, "c"), [0, 1]);
        assert_eq!(seen(&stage, "nobody"), [0, 1]);
    }

    #[test]
    fn ports_are_put_in_order() {
        let mut stage = Stage::new(Output::default());
        let mut last = Port::default();
        last.change(CompositePort {
            order: Some(5),
            ..settings()
        })
        .unwrap();
        stage.ports.insert("a".to_owned(), last);
        assert_eq!(seen(&stage, "x"), [1, 2, 0]);
    }

    #[test]
    fn a_port_is_as_loud_as_it_is_told_and_no_louder_than_is_safe() {
        let mut port = Port::default();
        port.change(CompositePort {
            volume: Some(0.5),
            ..settings()
        })
        .unwrap();
        assert_eq!(port.loudness(), 0.5);
        port.change(CompositePort {
            muted: Some(true),
            ..settings()
        })
        .unwrap();
        assert_eq!(port.loudness(), 0.0);
        for volume in [-1.0, 5.0, f32::NAN] {
            assert!(
                port.change(CompositePort {
                    volume: Some(volume),
                    ..settings()
                })
                .is_err()
            );
        }
        port.change(CompositePort {
            muted: Some(false),
            ..settings()
        })
        .unwrap();
        assert_eq!(port.loudness(), 0.5);
    }
}
