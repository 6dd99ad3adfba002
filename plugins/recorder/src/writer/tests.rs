use std::{
    io::Read,
    net::{TcpListener, TcpStream},
    sync::mpsc::{Receiver, Sender, channel},
    thread,
};

use rivero_plugin_api::{Format, MediaKind, Packaging};

use super::*;
use crate::threads::BLOCKING_THREADS;
use crate::{
    api::MediaProfileSpecType, container::testing::Memory, profile::Profile, recording::Plan,
    sample::Frame, timeline::Gaps,
};

const MS: i64 = 1_000_000;
const OPUS: u32 = 1;
const VP8: u32 = 2;

/// An endpoint at a certain time.
struct At(i64);

impl Listener for At {
    fn notice(&self, _: Notice) {}
    fn failed(&self, _: &Failure) {}
    fn over(&self, _: bool) {}
    fn now(&self) -> i64 {
        self.0
    }
}

fn format(id: u32) -> Option<Format> {
    let format = match id {
        OPUS => Format::rtp("OPUS", 48_000, 2),
        VP8 => Format::rtp("VP8", 90_000, 0),
        _ => return None,
    };
    Some(Format {
        packaging: Packaging::Frame,
        ..format
    })
}

/// An upload in WebM that is worked on at `now`.
fn upload(now: i64) -> Task {
    let plan = Plan {
        profile: Profile::new(&MediaProfileSpecType::Webm),
        gaps: Gaps::Keep,
        keyframe_interval: 5000 * MS,
        split: 60_000 * MS,
        asked: std::time::UNIX_EPOCH,
        sync_interval: 0,
    };
    Task {
        recording: Recording::new(plan, Box::new(format)),
        target: Target::Upload {
            url: "http://127.0.0.1/".parse().unwrap(),
            content_type: "video/webm",
        },
        listener: Arc::new(At(now)),
        figures: Arc::default(),
        progress: Arc::default(),
        state: State::Running,
    }
}

fn policy() -> Policy {
    Policy::new(&rivero_uri::UriSettings::default())
}

fn frames(at: i64, presented: i64, format: u32, data: &[u8]) -> (i64, Command) {
    let (kind, duration) = match format {
        OPUS => (MediaKind::Audio, 20),
        _ => (MediaKind::Video, 40),
    };
    let frame = Frame {
        format,
        presentation_time: presented * MS,
        duration: duration * MS,
        keyframe: true,
        discontinuity: false,
        data: data.to_vec().into(),
    };
    (at * MS, Command::Frames(kind, vec![frame]))
}

const SOUND: [u8; 3] = [0xfc, 1, 2];
const PICTURE: [u8; 12] = [0x10, 2, 0, 0x9d, 1, 0x2a, 0x40, 1, 0xf0, 0, 9, 9];

fn beginning() -> Vec<(i64, Command)> {
    vec![
        (0, Command::Expect(MediaKind::Audio, true)),
        (0, Command::Expect(MediaKind::Video, true)),
        (0, Command::Begin),
    ]
}

#[test]
fn what_came_while_the_target_was_opened_is_recorded() {
    for now in [300, 8000] {
        let mut task = upload(now * MS);
        let mut commands = beginning();
        commands.push(frames(20, 20, VP8, &PICTURE));
        commands.extend((20..300).step_by(20).map(|at| frames(at, at, OPUS, &SOUND)));
        task.work(commands, &mut Memory::default()).unwrap();
        let length = task.recording.duration() / MS;
        assert_eq!(length, 280, "after {now} ms");
        let settled = task.recording.take_notices();
        let kinds = settled
            .iter()
            .filter(|notice| matches!(notice, Notice::Settled(..)));
        assert_eq!(kinds.count(), 2, "after {now} ms: {settled:?}");
    }
}

#[test]
fn pictures_from_before_the_recording_are_left_out_however_long_opening_takes() {
    let mut task = upload(8000 * MS);
    let mut commands = beginning();
    commands.push(frames(10, -3000, VP8, &PICTURE));
    commands.push(frames(20, 20, VP8, &PICTURE));
    commands.push(frames(20, 20, OPUS, &SOUND));
    task.work(commands, &mut Memory::default()).unwrap();
    assert_eq!(task.recording.duration() / MS, 40);
}

/// An endpoint that panics when it is told what is recorded, and says what it hears after that.
struct Panics(Sender<String>);

impl Listener for Panics {
    fn notice(&self, _: Notice) {
        panic!("on purpose")
    }

    fn failed(&self, failure: &Failure) {
        let (kind, code) = failure.event();
        self.0.send(format!("{kind} {code} {failure}")).unwrap();
    }

    fn over(&self, opened: bool) {
        self.0.send(format!("over {opened}")).unwrap();
        panic!("on purpose once more")
    }

    fn now(&self) -> i64 {
        300 * MS
    }
}

#[test]
fn a_recording_that_panics_is_over_and_its_endpoint_hears_why() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("recording.webm");
    let (sender, heard) = channel();
    let Task { recording, .. } = upload(0);
    let target = Target::File {
        path,
        is_split: false,
        content_type: "video/webm",
    };
    let policy = Policy::new(&rivero_uri::UriSettings::default());
    let listener = Arc::new(Panics(sender));
    let writer = Writer::start(recording, target, policy, listener).unwrap();
    let now = writer.intake();
    now.control(0, Command::Expect(MediaKind::Audio, true));
    now.control(0, Command::Begin);
    for at in (20..300).step_by(20) {
        let (_, Command::Frames(kind, frames)) = frames(at, at, OPUS, &SOUND) else {
            unreachable!()
        };
        now.frames(at * MS, kind, frames);
    }
    let error = heard.recv().unwrap();
    assert!(
        error.starts_with("UNEXPECTED_ELEMENT_ERROR 40003"),
        "{error}"
    );
    assert!(error.contains("on purpose"), "{error}");
    assert_eq!(heard.recv().unwrap(), "over true");
    let (sender, over) = channel();
    let patience = Duration::from_secs(30);
    writer.when_over(patience, move |is_over| sender.send(is_over).unwrap());
    assert!(over.recv().unwrap());
}

/// A server that takes whole requests and answers none of them; hears of each.
fn silent_server() -> (Target, Receiver<TcpStream>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let (sender, taken) = channel();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, sender) = (stream.unwrap(), sender.clone());
            thread::spawn(move || {
                let mut request = Vec::new();
                let mut part = [0; 4096];
                while !request.ends_with(b"\r\n0\r\n\r\n") {
                    let length = stream.read(&mut part).unwrap();
                    request.extend_from_slice(&part[..length]);
                }
                sender.send(stream).unwrap();
            });
        }
    });
    let target = Target::Upload {
        url: url.parse().unwrap(),
        content_type: "video/webm",
    };
    (target, taken)
}

/// A recording of a little sound that is being stopped.
fn stopping(target: Target) -> Writer {
    let recording = upload(0).recording;
    let writer = Writer::start(recording, target, policy(), Arc::new(At(400 * MS))).unwrap();
    let sound = (0..300).step_by(20).map(|at| frames(at, at, OPUS, &SOUND));
    let end = (300 * MS, Command::Finish);
    for (at, command) in beginning().into_iter().chain(sound).chain([end]) {
        writer.intake().control(at, command);
    }
    writer
}

#[test]
fn servers_that_do_not_answer_hold_up_neither_files_nor_other_uploads() {
    const PATIENCE: Duration = Duration::from_secs(20);
    let (target, taken) = silent_server();
    let uploads: Vec<_> = (0..2 * BLOCKING_THREADS)
        .map(|_| stopping(target.clone()))
        .collect();
    // Each has sent all of itself, and waits.
    let connections: Vec<_> = uploads
        .iter()
        .map(|_| taken.recv_timeout(PATIENCE).unwrap())
        .collect();

    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.webm");
    let file = stopping(Target::File {
        path,
        is_split: false,
        content_type: "video/webm",
    });
    let (sender, over) = channel();
    file.when_over(PATIENCE, move |is_over| sender.send(is_over).unwrap());
    assert!(over.recv().unwrap());
    drop(connections);
}
