//! The spool with a courier that does as it is told.

use std::{
    collections::VecDeque,
    fs,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::Mutex,
};

use tokio::time::Instant;

use super::*;
use crate::s3::Failure;
use events::{Listener, UploadEvent};
use queue::{Bringing, Courier};

const LIMIT: u64 = 1 << 30;

/// Keeps what it is given, unless the store is said to be down.
#[derive(Default)]
struct Store {
    /// What comes next for a bucket: `true` where it fails.
    fails: Mutex<VecDeque<(&'static str, bool)>>,
    /// Objects with their contents, and when each was tried.
    tried: Mutex<Vec<(String, Vec<u8>, Instant)>>,
}

struct ToTest(Arc<Store>);

impl Courier for ToTest {
    fn bring<'a>(&'a self, job: &'a mut Job) -> Bringing<'a> {
        let content = fs::read(job.media()).unwrap();
        let bucket = &job.note.object.bucket;
        let mut fails = lock(&self.0.fails);
        let planned = fails.iter().position(|(name, _)| name == bucket);
        let is_down = planned
            .and_then(|at| fails.remove(at))
            .is_some_and(|(_, fails)| fails);
        let length = content.len() as u64;
        lock(&self.0.tried).push((job.uri(), content, Instant::now()));
        Box::pin(async move {
            if is_down {
                return Err(Failure::Configuration("it is down".to_owned()));
            }
            Ok(length)
        })
    }
}

fn spool(directory: &Path) -> (Arc<Spool>, Arc<Store>) {
    let store = Arc::new(Store::default());
    let courier = Box::new(ToTest(store.clone()));
    let (path, data) = (directory.join("spool"), directory.join("data"));
    let spool = Spool::new(Directory::new(path, Some(data)), LIMIT, courier);
    (spool, store)
}

fn object(bucket: &str, key: &str) -> Object {
    let (bucket, key) = (bucket.to_owned(), key.to_owned());
    Object { bucket, key }
}

/// Events of an endpoint, and what keeps them coming.
fn events() -> (UploadEvents, Arc<Mutex<Vec<UploadEvent>>>, Arc<Listener>) {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let noted = heard.clone();
    let listener: Arc<Listener> = Arc::new(move |event| lock(&noted).push(event.clone()));
    let events = UploadEvents {
        listener: Arc::downgrade(&listener),
        deliveries: Arc::default(),
    };
    (events, heard, listener)
}

/// All files below a directory but locks.
fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let found = entries.flat_map(|entry| match entry.path() {
        path if path.is_dir() => files(&path),
        path if path.ends_with("lock") => Vec::new(),
        path => vec![path],
    });
    found.collect()
}

fn record(spool: &Arc<Spool>, object: Object, content: &[u8], events: &UploadEvents) -> Recorded {
    let mut recorded = spool.begin(object, "video/webm", events).unwrap();
    recorded.grow(content.len() as u64).unwrap();
    recorded.file().write_all_at(content, 0).unwrap();
    recorded
}

/// Leaves a file as a killed server does.
fn left_behind(directory: &Path, content: &[u8], is_complete: bool) {
    let (spool, _) = spool(directory);
    let job = record(&spool, object("calls", "a"), content, &events().0).into_job();
    let killed = directory.join("spool/killed");
    fs::create_dir_all(&killed).unwrap();
    let note = fs::read_to_string(job.stem.with_extension("json")).unwrap();
    let note = note.replace("false", if is_complete { "true" } else { "false" });
    fs::write(killed.join("000000.json"), note).unwrap();
    fs::rename(job.media(), killed.join("000000.media")).unwrap();
    job.remove().unwrap();
}

/// Waits for what happens on other threads.
fn eventually(is_so: impl Fn() -> bool) {
    let deadline = std::time::Instant::now() + Duration::from_secs(30);
    while !is_so() {
        assert!(std::time::Instant::now() < deadline, "it does not happen");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn what_is_complete_is_brought_away_told_of_and_removed() {
    let directory = tempfile::tempdir().unwrap();
    let (spool, store) = spool(directory.path());
    let (events, heard, _listener) = events();
    let marker = directory.path().join("data/resume/RecorderEndpoint");
    let mut recorded = record(&spool, object("calls", "a b"), b"media", &events);
    assert!(
        marker.exists(),
        "a killed server is known to have left something"
    );
    recorded.complete().unwrap();
    eventually(|| !lock(&heard).is_empty() && !marker.exists());
    assert_eq!(lock(&store.tried)[0].1, b"media");
    let (uri, bytes) = ("s3://calls/a%20b".to_owned(), 5);
    assert_eq!(*lock(&heard), [UploadEvent::Uploaded { uri, bytes }]);
    assert!(files(&directory.path().join("spool")).is_empty());
    assert!(spool.room.is_empty());
}

#[test]
fn a_recording_that_breaks_off_is_brought_away() {
    let directory = tempfile::tempdir().unwrap();
    let (spool, store) = spool(directory.path());
    drop(record(&spool, object("calls", "a"), b"half", &events().0));
    eventually(|| lock(&store.tried).len() == 1 && spool.room.is_empty());
}

#[test]
fn a_full_spool_takes_nothing_more() {
    let directory = tempfile::tempdir().unwrap();
    let (spool, _) = spool(directory.path());
    let (events, ..) = events();
    let mut recorded = spool
        .begin(object("calls", "a"), "video/webm", &events)
        .unwrap();
    recorded.grow(LIMIT).unwrap();
    let another = spool.begin(object("calls", "b"), "video/webm", &events);
    assert_eq!(another.err().unwrap().kind(), io::ErrorKind::QuotaExceeded);
}

#[test]
fn what_a_killed_server_has_left_is_brought_away() {
    for is_complete in [true, false] {
        let directory = tempfile::tempdir().unwrap();
        left_behind(directory.path(), b"media", is_complete);
        let (spool, store) = spool(directory.path());
        spool.resume();
        eventually(|| lock(&store.tried).len() == 1 && spool.room.is_empty());
        assert_eq!(lock(&store.tried)[0].1, b"media");
        eventually(|| !directory.path().join("spool/killed").exists());
    }
}

#[test]
fn what_a_killed_server_had_not_begun_to_write_is_removed() {
    let directory = tempfile::tempdir().unwrap();
    left_behind(directory.path(), b"", false);
    let (spool, store) = spool(directory.path());
    spool.resume();
    eventually(|| !directory.path().join("spool/killed").exists());
    assert!(lock(&store.tried).is_empty());
}

#[test]
fn what_another_process_has_stays_its_own() {
    let directory = tempfile::tempdir().unwrap();
    let (first, _) = spool(directory.path());
    let recorded = record(&first, object("calls", "a"), b"media", &events().0);
    let (second, store) = spool(directory.path());
    assert!(second.adopt(), "somebody has something");
    assert!(lock(&store.tried).is_empty());
    second.tidy();
    assert!(
        directory
            .path()
            .join("data/resume/RecorderEndpoint")
            .exists()
    );
    drop(recorded);
}

/// Jobs of a spool whose own workers are kept from them.
fn jobs(spool: &Arc<Spool>, objects: &[(&str, &str)], events: &UploadEvents) -> Vec<Job> {
    let jobs = objects
        .iter()
        .map(|(bucket, key)| record(spool, object(bucket, key), b"media", events).into_job());
    jobs.collect()
}

#[tokio::test(start_paused = true)]
async fn a_file_is_tried_again_after_growing_pauses() {
    let directory = tempfile::tempdir().unwrap();
    let (spool, store) = spool(directory.path());
    let (events, heard, _listener) = events();
    lock(&store.fails).extend([("calls", true); 8]);
    for job in jobs(&spool, &[("calls", "a")], &events) {
        spool.queue.push(job);
    }
    assert!(spool.queue.wants_worker());
    spool.queue.work().await;
    let tried = lock(&store.tried);
    let times: Vec<u64> = tried
        .iter()
        .map(|(.., at)| (*at - tried[0].2).as_secs())
        .collect();
    assert_eq!(times, [0, 1, 3, 7, 15, 31, 63, 123, 183]);
    let heard = lock(&heard);
    assert_eq!(heard.len(), 9);
    let failed = |event: &&UploadEvent| matches!(event, UploadEvent::Failed { .. });
    assert_eq!(heard.iter().filter(failed).count(), 8);
    assert!(matches!(heard[8], UploadEvent::Uploaded { bytes: 5, .. }));
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_down_is_not_asked_for_each_of_its_files() {
    let directory = tempfile::tempdir().unwrap();
    let (spool, store) = spool(directory.path());
    let (events, ..) = events();
    let keys: Vec<String> = (0..20).map(|number| number.to_string()).collect();
    let down: Vec<_> = keys.iter().map(|key| ("down", key.as_str())).collect();
    lock(&store.fails).extend([("down", true); 5]);
    for mut job in jobs(&spool, &down, &events) {
        // Left by an earlier server: nobody waits to hear of them.
        job.settle();
        spool.queue.push(job);
    }
    for job in jobs(&spool, &[("up", "a"), ("down", "new")], &events) {
        spool.queue.push(job);
    }
    assert!(spool.queue.wants_worker());
    spool.queue.work().await;
    let tried = lock(&store.tried);
    let first: Vec<&str> = tried.iter().take(3).map(|(uri, ..)| uri.as_str()).collect();
    // One of those that wait, another bucket's, and what was just recorded.
    assert_eq!(first, ["s3://down/0", "s3://up/a", "s3://down/new"]);
    assert_eq!(tried.len(), 22 + 5);
}

#[tokio::test(start_paused = true)]
async fn the_latest_recording_to_an_object_is_what_stays() {
    let directory = tempfile::tempdir().unwrap();
    let (spool, store) = spool(directory.path());
    let (events, ..) = events();
    lock(&store.fails).extend([("calls", true), ("calls", true)]);
    for job in jobs(
        &spool,
        &[("calls", "a"), ("calls", "a"), ("calls", "b")],
        &events,
    ) {
        fs::write(
            job.media(),
            job.stem.file_name().unwrap().as_encoded_bytes(),
        )
        .unwrap();
        spool.queue.push(job);
    }
    assert!(spool.queue.wants_worker());
    spool.queue.work().await;
    let tried = lock(&store.tried);
    let of_a = tried.iter().filter(|(uri, ..)| uri == "s3://calls/a");
    let contents: Vec<&[u8]> = of_a.map(|(_, content, _)| content.as_slice()).collect();
    let (first, last) = (contents.first().unwrap(), contents.last().unwrap());
    assert_eq!((*first, *last), (&b"000000"[..], &b"000001"[..]));
    assert!(contents.is_sorted(), "{contents:?}");
}

#[tokio::test(start_paused = true)]
async fn a_released_endpoint_waits_for_the_first_attempt_alone() {
    let directory = tempfile::tempdir().unwrap();
    let (spool, store) = spool(directory.path());
    let (events, ..) = events();
    lock(&store.fails).extend([("calls", true)]);
    for job in jobs(&spool, &[("calls", "a")], &events) {
        spool.queue.push(job);
    }
    let begun = Instant::now();
    let waiting = events.deliveries.settled(Duration::from_secs(5));
    tokio::join!(waiting, async {
        assert!(spool.queue.wants_worker());
        tokio::select! {
            () = spool.queue.work() => {}
            () = tokio::time::sleep(Duration::from_millis(500)) => {}
        }
    });
    assert!(begun.elapsed() < Duration::from_secs(1));
}
