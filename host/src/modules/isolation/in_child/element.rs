//! An object's connection to the server, and its pads, as the module has them in its own process.

use std::sync::{
    Arc, Weak,
    atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
};

use abi_stable::{
    sabi_trait::TD_Opaque,
    std_types::{RArc, ROption, RResult, RSlice, RStr, RString},
};
use rivero_plugin_api::{
    Error, MediaKind, Packet,
    abi::{
        traits::{
            AbiConverterOutput, AbiConverterOutput_TO, AbiElementHost, AbiElementHost_TO,
            AbiSinkPad, AbiSinkPad_TO, AbiSourcePad, AbiSourcePad_TO, ConverterOutput, ElementHost,
            SinkGroup, SinkHandler, SinkPad, SourceHandler, SourcePad,
        },
        types::{AbiEncoding, AbiError, AbiUpstream},
    },
};

use super::{
    super::wire::{Answer, Element, Failure, Question, ToHost},
    calls::{Calls, Handler},
    channel::Channel,
};

/// Packets for which there was no room, and the rest of what they belong to.
#[derive(Default)]
struct Losses {
    waits: AtomicBool,
    lost: AtomicU64,
}

impl Losses {
    /// Pushes what is of use of a burst.
    fn push(&self, channel: &Channel, packets: &[Packet], push: impl FnOnce(&[Packet]) -> bool) {
        let begin = match self.waits.load(Relaxed) {
            false => Some(0),
            true => packets.iter().position(Packet::is_keyframe),
        };
        let (left_out, rest) = packets.split_at(begin.unwrap_or(packets.len()));
        let pushed = rest.is_empty() || push(rest);
        if !rest.is_empty() {
            self.waits.store(!pushed, Relaxed);
        }
        let lost = left_out.len() + if pushed { 0 } else { rest.len() };
        if lost > 0 {
            self.lost.fetch_add(lost as u64, Relaxed);
        }
        // Told of once there is room again, in one message.
        if pushed && !rest.is_empty() {
            let lost = self.lost.swap(0, Relaxed);
            if lost > 0 {
                channel.say(ToHost::Metric {
                    kind: 0,
                    name: "isolation_packets_lost_total".to_owned(),
                    labels: "{}".to_owned(),
                    value: lost as f64,
                });
            }
        }
    }
}

struct Connection {
    channel: Arc<Channel>,
    calls: Weak<Calls>,
    element: Element,
}

/// Gives an object, or a port of a hub, its connection.
pub(super) fn connection(calls: &Arc<Calls>, element: Element) -> ElementHost {
    let connection = Connection {
        channel: calls.channel().clone(),
        calls: Arc::downgrade(calls),
        element,
    };
    AbiElementHost_TO::from_ptr(RArc::new(connection), TD_Opaque)
}

impl Connection {
    /// Keeps a handler, and has the server open its pad: the pad's number and id.
    fn open(
        &self,
        handler: Handler,
        question: impl FnOnce(u64) -> Question,
    ) -> Result<(u64, u32), AbiError> {
        let gone = || AbiError::from(Error::unexpected("the module ends"));
        let calls = self.calls.upgrade().ok_or_else(gone)?;
        let number = calls.keep(handler);
        match self.channel.ask(question(number)) {
            Ok(Answer::Pad(pad, id)) => Ok((pad, id)),
            Ok(_) => Err(gone()),
            Err(error) => Err(error),
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let element = self.element.number;
        self.channel.say(ToHost::DropElement { element });
    }
}

impl AbiElementHost for Connection {
    fn id(&self) -> RString {
        self.element.id.as_str().into()
    }

    fn pipeline(&self) -> RString {
        self.element.pipeline.as_str().into()
    }

    fn emit(&self, event: RStr<'_>, data: RStr<'_>) {
        self.channel.say(ToHost::Emit {
            element: self.element.number,
            event: event.into(),
            data: data.into(),
        });
    }

    fn error(&self, kind: RStr<'_>, code: i32, description: RStr<'_>) {
        let failure = Failure::from(AbiError {
            code,
            kind: kind.into(),
            message: description.into(),
        });
        let element = self.element.number;
        self.channel.say(ToHost::Error { element, failure });
    }

    fn panicked(&self, place: RStr<'_>, message: RStr<'_>) {
        self.channel.say(ToHost::Panicked {
            element: self.element.number,
            place: place.into(),
            message: message.into(),
        });
    }

    fn add_source_pad(
        &self,
        kind: MediaKind,
        description: RStr<'_>,
        handler: SourceHandler,
    ) -> RResult<SourcePad, AbiError> {
        let element = self.element.number;
        let opened = self.open(Handler::Source(handler), |handler| Question::AddSource {
            element,
            kind: kind.number(),
            description: description.into(),
            handler,
        });
        let pad = opened.map(|(pad, id)| Source {
            channel: self.channel.clone(),
            pad,
            id,
            losses: Losses::default(),
        });
        pad.map(|pad| AbiSourcePad_TO::from_ptr(RArc::new(pad), TD_Opaque))
            .into()
    }

    fn add_sink_pad(
        &self,
        kind: MediaKind,
        description: RStr<'_>,
        handler: SinkHandler,
        group: ROption<SinkGroup>,
        token: u64,
    ) -> RResult<SinkPad, AbiError> {
        let element = self.element.number;
        let group = group.into_option().map(|group| (group, token));
        let opened = self.open(Handler::Sink(handler, group), |handler| Question::AddSink {
            element,
            kind: kind.number(),
            description: description.into(),
            handler,
        });
        let pad = opened.map(|(pad, _)| Sink {
            channel: self.channel.clone(),
            pad,
        });
        pad.map(|pad| AbiSinkPad_TO::from_ptr(RArc::new(pad), TD_Opaque))
            .into()
    }

    fn class_of(&self, id: RStr<'_>) -> ROption<RString> {
        let (element, id) = (self.element.number, id.into());
        match self.channel.ask(Question::ClassOf { element, id }) {
            Ok(Answer::Text(Some(class))) => ROption::RSome(class.into()),
            _ => ROption::RNone,
        }
    }
}

struct Source {
    channel: Arc<Channel>,
    pad: u64,
    id: u32,
    losses: Losses,
}

impl AbiSourcePad for Source {
    fn id(&self) -> u32 {
        self.id
    }

    fn push(&self, packets: RSlice<'_, Packet>) {
        let pad = self.pad;
        self.losses
            .push(&self.channel, packets.as_slice(), |packets| {
                { &self.channel }.push(packets, |burst| ToHost::Push { pad, burst })
            });
    }

    fn set_format(&self, format: u32) {
        let pad = self.pad;
        self.channel.say(ToHost::SetFormat { pad, format });
    }

    fn set_encodings(&self, encodings: RSlice<'_, AbiEncoding>) {
        let encodings = encodings.as_slice().iter().map(Into::into).collect();
        let pad = self.pad;
        self.channel.say(ToHost::SetEncodings { pad, encodings });
    }

    fn show(&self, other: u32) -> RResult<(), AbiError> {
        let pad = self.pad;
        let shown = self.channel.ask(Question::Show { pad, other });
        shown.map(|_| ()).into()
    }

    fn close(&self) {
        self.channel.say(ToHost::ClosePad { pad: self.pad });
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        self.channel.say(ToHost::DropPad { pad: self.pad });
    }
}

struct Sink {
    channel: Arc<Channel>,
    pad: u64,
}

impl AbiSinkPad for Sink {
    fn set_accepted(&self, formats: RSlice<'_, u32>) {
        let (pad, formats) = (self.pad, formats.as_slice().to_vec());
        self.channel.say(ToHost::SetAccepted { pad, formats });
    }

    fn upstream(&self, message: AbiUpstream) {
        let (pad, message) = (self.pad, message.into());
        self.channel.say(ToHost::SinkUpstream { pad, message });
    }

    fn history(&self, ssrc: u32, sequence: u16) -> ROption<Packet> {
        let question = Question::History {
            pad: self.pad,
            ssrc,
            sequence,
        };
        let answer = self.channel.ask_with_media(question);
        answer
            .ok()
            .and_then(|(_, packets)| packets.into_iter().next())
            .into()
    }

    fn close(&self) {
        self.channel.say(ToHost::ClosePad { pad: self.pad });
    }

    fn next_bitrate(&self) -> u64 {
        match self.channel.ask(Question::NextBitrate { pad: self.pad }) {
            Ok(Answer::Number(bitrate)) => bitrate,
            _ => 0,
        }
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.channel.say(ToHost::DropPad { pad: self.pad });
    }
}

struct Output {
    channel: Arc<Channel>,
    converter: u64,
    losses: Losses,
}

/// Where the results of a converter go.
pub(super) fn output(channel: &Arc<Channel>, converter: u64) -> ConverterOutput {
    let output = Output {
        channel: channel.clone(),
        converter,
        losses: Losses::default(),
    };
    AbiConverterOutput_TO::from_ptr(RArc::new(output), TD_Opaque)
}

impl AbiConverterOutput for Output {
    fn push(&self, packets: RSlice<'_, Packet>) {
        let converter = self.converter;
        self.losses
            .push(&self.channel, packets.as_slice(), |packets| {
                { &self.channel }.push(packets, |burst| ToHost::ConverterPush { converter, burst })
            });
    }

    fn upstream(&self, message: AbiUpstream) {
        let (converter, message) = (self.converter, message.into());
        self.channel
            .say(ToHost::SourceUpstream { converter, message });
    }

    fn failed(&self, error: AbiError) {
        let (converter, failure) = (self.converter, error.into());
        self.channel
            .say(ToHost::ConverterFailed { converter, failure });
    }
}
