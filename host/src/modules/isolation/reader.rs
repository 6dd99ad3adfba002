//! The thread that hears a child, and what is done about what it says.

use std::{
    os::fd::AsFd,
    sync::{Arc, mpsc::SyncSender},
    time::{Duration, Instant},
};

use abi_stable::std_types::{ROption, RResult, RSlice, RString};
use rivero_plugin_api::{
    Error, MediaKind, Packet,
    abi::types::{AbiEncoding, AbiError, AbiFormat},
};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
};

use super::{
    link::{Link, Pad, PadEnd},
    packets::{Burst, Malformed},
    process::Errors,
    proxies,
    ring::Consumer,
    socket,
    wire::{Answer, Failure, FromChild, Inbox, Question, ToHost, WireError},
};

/// Bytes that are received at once.
const CHUNK: usize = 64 * 1024;
/// A child that is of no use any more has so long to end by itself.
const FAREWELL: Duration = Duration::from_secs(3);
/// How long the end of a process is waited for that has closed its connection.
const END: Duration = Duration::from_millis(500);
/// So often it is looked whether the child is of use still.
const PERIOD: Timespec = Timespec {
    tv_sec: 2,
    tv_nsec: 0,
};

/// What a child did that none of ours does.
#[derive(Debug, thiserror::Error)]
enum Violation {
    #[error(transparent)]
    Wire(#[from] WireError),
    #[error(transparent)]
    Media(#[from] Malformed),
    #[error("it began twice")]
    Beginning,
    #[error("{0}")]
    Hangs(String),
}

/// How a child's start went: what the module converts, or why it does not run.
pub(super) type Start = Result<String, String>;

pub(super) struct Reader {
    link: Arc<Link>,
    ring: Consumer,
    inbox: Inbox,
    chunk: Vec<u8>,
    errors: Option<Errors>,
    module: String,
    /// Told of the start.
    started: Option<SyncSender<Start>>,
    /// Formats that there were: of others no packet passes.
    formats: std::collections::HashSet<u32>,
}

impl Reader {
    pub(super) fn new(
        link: &Arc<Link>,
        ring: Consumer,
        module: &str,
        started: SyncSender<Start>,
    ) -> Self {
        Self {
            link: link.clone(),
            ring,
            inbox: Inbox::default(),
            chunk: vec![0; CHUNK],
            errors: link.process.take_errors().map(Errors::new),
            module: module.to_owned(),
            started: Some(started),
            formats: std::collections::HashSet::new(),
        }
    }

    /// Hears the child to its end, and clears up after it; how it ended. `is_of_use`: nobody will call it any
    /// more where it says no.
    pub(super) fn run(mut self, is_of_use: impl Fn() -> bool) -> String {
        let mut farewell = None;
        loop {
            let is_over = farewell.is_some_and(|since: Instant| since.elapsed() > FAREWELL);
            if is_over {
                self.link
                    .give_up("it did not end when it was of no use any more");
            }
            match self.wait() {
                Ok(true) => {}
                Ok(false) => break,
                Err(violation) => {
                    self.link.give_up(&format!("{violation}, and it was ended"));
                    break;
                }
            }
            if farewell.is_none() && !is_of_use() {
                self.link.finish();
                farewell = Some(Instant::now());
            }
        }
        let how = self.link.process.end(END);
        if let Some(errors) = &mut self.errors {
            // Without waiting: the pipe is open as long as somebody has it.
            tell_of(errors, &self.module);
        }
        self.link.clear(&how);
        if let Some(started) = self.started.take() {
            let _ = started.send(Err(how.clone()));
        }
        how
    }

    /// Waits for something, and does it. Whether there may be more.
    fn wait(&mut self) -> Result<bool, Violation> {
        let Link {
            socket, process, ..
        } = &*self.link;
        let ended = process.ended();
        let mut all = vec![
            PollFd::new(socket.as_ref(), PollFlags::IN),
            PollFd::new(&ended, PollFlags::IN),
        ];
        let errors = self.errors.as_ref().map(|errors| errors.descriptor());
        all.extend({ errors.as_ref() }.map(|errors| PollFd::new(errors, PollFlags::IN)));
        if poll(&mut all, Some(&PERIOD)).is_err() {
            return Ok(true); // a signal
        }
        let is_ready = |number: usize| {
            let fd = all.get(number);
            fd.is_some_and(|fd| !fd.revents().is_empty())
        };
        let (has_words, has_ended, has_errors) = (is_ready(0), is_ready(1), is_ready(2));
        drop(all);
        if has_errors
            && !self
                .errors
                .as_mut()
                .is_none_or(|errors| tell_of(errors, &self.module))
        {
            self.errors = None;
        }
        // What it said before it ended is heard first.
        let may_say_more = has_words && self.hear()?;
        Ok(may_say_more || (!has_words && !has_ended))
    }

    /// Receives what there is, and does it. Whether it was anything.
    fn hear(&mut self) -> Result<bool, Violation> {
        match socket::receive(self.link.socket.as_fd(), &mut self.chunk, false) {
            Ok(0) => return Ok(false),
            Ok(received) => self
                .inbox
                .add(self.chunk.get(..received).unwrap_or_default()),
            Err(Errno::AGAIN) => return Ok(true),
            Err(_) => return Ok(false),
        }
        while let Some(FromChild { depth, message }) = self.inbox.next()? {
            // A ring of elements ends although it leads through other processes.
            rivero_media::at_depth(depth, || self.handle(message))?;
        }
        Ok(true)
    }

    fn packets(&mut self, burst: Burst) -> Result<Vec<Packet>, Violation> {
        let ring = &mut self.ring;
        let mut packets = burst.packets(|length| ring.take(length))?;
        let formats = &mut self.formats;
        let host = &self.link.host;
        packets.retain(|Packet { format, .. }| {
            *format == 0
                || formats.contains(format)
                || (host.format(*format).is_some() && formats.insert(*format))
        });
        if formats.len() > rivero_media::RecentFormats::COUNT {
            formats.clear();
        }
        Ok(packets)
    }

    fn handle(&mut self, message: ToHost) -> Result<(), Violation> {
        let link = self.link.clone();
        match message {
            ToHost::Started { conversions } => self.started(Ok(conversions))?,
            ToHost::Refused(reason) => self.started(Err(reason))?,
            ToHost::Returned { number, outcome } => {
                link.returned(number, outcome.map_err(AbiError::from));
            }
            ToHost::Reply { responder, result } => reply(&link, responder, result),
            ToHost::Ask { number, question } => {
                let (answer, media) = match answer(&link, question) {
                    Ok((answer, media)) => (Ok(answer), media),
                    Err(error) => (Err(Failure::from(error)), None),
                };
                link.answer(number, answer, media.as_slice());
            }
            ToHost::Emit {
                element,
                event,
                data,
            } => {
                if let Some(element) = link.element(element) {
                    element.emit(event.as_str().into(), data.as_str().into());
                }
            }
            ToHost::Error { element, failure } => {
                if let Some(element) = link.element(element) {
                    let AbiError {
                        code,
                        kind,
                        message,
                    } = failure.into();
                    element.error(kind.as_str().into(), code, message.as_str().into());
                }
            }
            ToHost::Panicked {
                element,
                place,
                message,
            } => {
                if let Some(element) = link.element(element) {
                    element.panicked(place.as_str().into(), message.as_str().into());
                }
            }
            ToHost::DropElement { element } => link.drop_element(element),
            ToHost::Log {
                level,
                target,
                message,
                fields,
            } => {
                let (target, message) = (target.as_str().into(), message.as_str().into());
                link.host
                    .log(level, target, message, fields.as_str().into());
            }
            ToHost::Metric {
                kind,
                name,
                labels,
                value,
            } => {
                let (name, labels) = (name.as_str().into(), labels.as_str().into());
                link.host.metric(kind, name, labels, value);
            }
            ToHost::Push { pad, burst } => {
                let mut packets = self.packets(burst)?;
                if let Some(pad) = link.pad(pad)
                    && let PadEnd::Source(source) = &pad.end
                {
                    packets.iter_mut().for_each(|packet| packet.kind = pad.kind);
                    source.push(RSlice::from_slice(&packets));
                }
            }
            ToHost::ConverterPush { converter, burst } => {
                let packets = self.packets(burst)?;
                if let Some(output) = link.output(converter) {
                    output.push(RSlice::from_slice(&packets));
                }
            }
            ToHost::SourceUpstream { converter, message } => {
                if let Some(output) = link.output(converter) {
                    output.upstream(message.into());
                }
            }
            ToHost::ConverterFailed { converter, failure } => {
                if let Some(output) = link.output(converter) {
                    output.failed(failure.into());
                }
            }
            ToHost::DropPad { pad } => link.drop_pad(pad),
            ToHost::SetFormat { .. }
            | ToHost::SetEncodings { .. }
            | ToHost::SetAccepted { .. }
            | ToHost::SinkUpstream { .. }
            | ToHost::ClosePad { .. } => of_pad(&link, message),
            ToHost::Hangs(what) => {
                return Err(Violation::Hangs(format!("{what} had not returned for 1 s")));
            }
        }
        Ok(())
    }

    fn started(&mut self, start: Start) -> Result<(), Violation> {
        let started = self.started.take().ok_or(Violation::Beginning)?;
        // Nobody waits any more where it took too long.
        let _ = started.send(start);
        Ok(())
    }
}

/// Logs what was written to standard error.
fn tell_of(errors: &mut Errors, module: &str) -> bool {
    errors.read(|line| tracing::warn!(module, "the process of the module says: {line}"))
}

fn reply(link: &Link, responder: u64, result: Option<Result<String, Failure>>) {
    let Some(responder) = link.take_responder(responder) else {
        return;
    };
    match result {
        Some(Ok(text)) => responder.reply(RResult::ROk(text.into())),
        Some(Err(failure)) => responder.reply(RResult::RErr(failure.into())),
        // As in this process: it answers by itself that there is no answer.
        None => drop(responder),
    }
}

/// What a pad is told.
fn of_pad(link: &Link, message: ToHost) {
    match message {
        ToHost::SetFormat { pad, format } => {
            if let Some(PadEnd::Source(pad)) = link.pad(pad).as_ref().map(|pad| &pad.end) {
                pad.set_format(format);
            }
        }
        ToHost::SetEncodings { pad, encodings } => {
            let encodings = encodings.into_iter().map(AbiEncoding::from);
            let encodings: Vec<AbiEncoding> = encodings.collect();
            if let Some(PadEnd::Source(pad)) = link.pad(pad).as_ref().map(|pad| &pad.end) {
                pad.set_encodings(RSlice::from_slice(&encodings));
            }
        }
        ToHost::SetAccepted { pad, formats } => {
            if let Some(PadEnd::Sink(pad)) = link.pad(pad).as_ref().map(|pad| &pad.end) {
                pad.set_accepted(RSlice::from_slice(&formats));
            }
        }
        ToHost::SinkUpstream { pad, message } => {
            if let Some(PadEnd::Sink(pad)) = link.pad(pad).as_ref().map(|pad| &pad.end) {
                pad.upstream(message.into());
            }
        }
        ToHost::ClosePad { pad } => {
            if let Some(pad) = link.pad(pad) {
                pad.close();
            }
        }
        _ => {}
    }
}

fn unknown() -> AbiError {
    Error::unexpected("the process of the module names something that is not there").into()
}

/// Answers a question of the child, with the media that belongs to the answer.
fn answer(link: &Arc<Link>, question: Question) -> Result<(Answer, Option<Packet>), AbiError> {
    let media = |link: &Link, pad| link.pad(pad).ok_or_else(unknown);
    Ok(match question {
        Question::AddSource {
            element,
            kind,
            description,
            handler,
        } => {
            let element = link.element(element).ok_or_else(unknown)?;
            let kind = known(kind)?;
            let handler = proxies::source_handler(link, handler);
            let pad = element.add_source_pad(kind, description.as_str().into(), handler);
            let pad = pad.into_result()?;
            let id = pad.id();
            let end = PadEnd::Source(pad);
            (Answer::Pad(link.add_pad(Pad { kind, end })?, id), None)
        }
        Question::AddSink {
            element,
            kind,
            description,
            handler,
        } => {
            let element = link.element(element).ok_or_else(unknown)?;
            let kind = known(kind)?;
            let handler = proxies::sink_handler(link, handler);
            let (description, none) = (description.as_str().into(), ROption::RNone);
            let pad = element.add_sink_pad(kind, description, handler, none, 0);
            let end = PadEnd::Sink(pad.into_result()?);
            (Answer::Pad(link.add_pad(Pad { kind, end })?, 0), None)
        }
        Question::Show { pad, other } => match &media(link, pad)?.end {
            PadEnd::Source(pad) => (
                pad.show(other).into_result().map(|()| Answer::Nothing)?,
                None,
            ),
            PadEnd::Sink(_) => return Err(unknown()),
        },
        Question::History {
            pad,
            ssrc,
            sequence,
        } => match &media(link, pad)?.end {
            PadEnd::Sink(pad) => {
                let packet = pad.history(ssrc, sequence).into_option();
                let burst = Burst::of(packet.as_slice());
                (Answer::Packets(burst), packet)
            }
            PadEnd::Source(_) => return Err(unknown()),
        },
        Question::NextBitrate { pad } => match &media(link, pad)?.end {
            PadEnd::Sink(pad) => (Answer::Number(pad.next_bitrate()), None),
            PadEnd::Source(_) => return Err(unknown()),
        },
        Question::ClassOf { element, id } => {
            let element = link.element(element).ok_or_else(unknown)?;
            let class = element.class_of(id.as_str().into()).into_option();
            (Answer::Text(class.map(RString::into_string)), None)
        }
        Question::Configuration { class } => {
            let text = link.host.configuration(class.as_str().into());
            (Answer::Text(Some(text.into())), None)
        }
        Question::FormatId(format) => {
            let number = link.host.format_id(&AbiFormat::from(format));
            (Answer::Number(number.into()), None)
        }
        Question::Format(number) => {
            let format = link.host.format(number).into_option();
            (Answer::Format(format.as_ref().map(Into::into)), None)
        }
    })
}

fn known(kind: u8) -> Result<MediaKind, AbiError> {
    let kind = MediaKind::from_number(kind);
    kind.is_known().then_some(kind).ok_or_else(unknown)
}
