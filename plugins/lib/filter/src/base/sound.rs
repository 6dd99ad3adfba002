//! Filters of sound.

use std::sync::{Arc, Mutex};

use rivero_plugin_api::{Class, MediaKind, Packaging, Packet, Result, host, supervise::lock};

use super::object::{Behaviour, Instance, Pads, class};
use crate::{Lanes, Treatment};

/// A class that changes sound. Pictures and data pass as they come.
pub trait SoundFilter: Behaviour {
    /// Changes a piece of sound on its way, usually 20 ms.
    fn process(&mut self, sound: &mut Sound, properties: &Self::Properties);
}

/// The class of this name whose objects are filters of sound, for `export_module!`.
pub fn sound_filter<F: SoundFilter>(name: &'static str) -> Class {
    class::<F, SoundPads>(name)
}

/// A piece of sound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sound {
    /// Samples of all channels in turn, −32,768 to 32,767. Their number stays.
    pub samples: Vec<i16>,
    /// At least 1.
    pub channels: usize,
    /// Samples of each channel in a second.
    pub rate: u32,
    /// When the first one is heard, ns on the pipeline's clock.
    pub time: i64,
}

struct SoundPads {
    /// Open until dropped.
    _lanes: Lanes,
}

impl<F: SoundFilter> Pads<F> for SoundPads {
    fn open(instance: &Arc<Instance<F>>) -> Result<Self> {
        let pieces = Pieces {
            instance: instance.clone(),
            format: Mutex::default(),
        };
        let treatment: Arc<dyn Treatment> = Arc::new(pieces);
        let lanes = Lanes::open(instance.context(), &treatment)?;
        Ok(Self { _lanes: lanes })
    }
}

/// Rate and channels.
type Format = (u32, usize);

/// The filter as its lanes know it.
struct Pieces<F: Behaviour> {
    instance: Arc<Instance<F>>,
    /// The latest by its number, since it changes seldom.
    format: Mutex<Option<(u32, Option<Format>)>>,
}

impl<F: Behaviour> Pieces<F> {
    fn format(&self, id: u32) -> Option<Format> {
        let mut known = lock(&self.format);
        match *known {
            Some((latest, format)) if latest == id => format,
            _ => {
                let format = host()?.format(id).filter(|format| {
                    format.packaging == Packaging::Raw && format.encoding == "S16LE"
                });
                let format =
                    format.map(|format| (format.clock_rate, usize::from(format.channels.max(1))));
                *known = Some((id, format));
                format
            }
        }
    }
}

impl<F: SoundFilter> Treatment for Pieces<F> {
    fn kind(&self) -> MediaKind {
        MediaKind::Audio
    }

    fn drawn(&self, packet: &Packet) -> Option<Packet> {
        let (rate, channels) = self.format(packet.format)?;
        let (samples, _) = packet.bytes.as_chunks();
        let mut sound = Sound {
            samples: samples
                .iter()
                .map(|sample| i16::from_le_bytes(*sample))
                .collect(),
            channels,
            rate,
            time: packet.presentation_time,
        };
        self.instance
            .with(|filter, properties| filter.process(&mut sound, properties));
        let mut bytes = host()?.buffer(packet.bytes.len());
        bytes.copy_from_slice(&packet.bytes);
        let (places, _) = bytes.as_chunks_mut();
        for (place, sample) in places.iter_mut().zip(sound.samples) {
            *place = sample.to_le_bytes();
        }
        Some(Packet {
            bytes: bytes.freeze(),
            ..packet.clone()
        })
    }
}
