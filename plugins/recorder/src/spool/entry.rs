//! One file of the spool, and the note beside it.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use rivero_plugin_api::supervise::contained;
use serde::{Deserialize, Serialize};

use super::{
    Spool,
    directory::{Instance, private_file},
    events::{Pending, UploadEvent},
    room::{Room, Space},
};
use crate::s3::{Multipart, Object};

const MEDIA: &str = "media";
const NOTE: &str = "json";
/// A note that is being written.
const NEW: &str = "new";

/// Where a file goes, and how far it has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Note {
    pub(super) object: Object,
    pub(super) content_type: String,
    /// Nothing more is written. A file that says otherwise was being recorded when its server was killed; it plays
    /// all the same.
    pub(super) is_complete: bool,
    #[serde(default)]
    pub(super) multipart: Option<Multipart>,
}

impl Note {
    pub(super) fn new(object: Object, content_type: &str) -> Self {
        Self {
            object,
            content_type: content_type.to_owned(),
            is_complete: false,
            multipart: None,
        }
    }

    /// Writes it so that either the former or this one is there, whatever happens.
    pub(super) fn save(&self, stem: &Path) -> io::Result<()> {
        let text = serde_json::to_vec(self)?;
        let new = stem.with_extension(NEW);
        fs::write(&new, text)?;
        File::open(&new)?.sync_all()?;
        fs::rename(new, stem.with_extension(NOTE))
    }
}

/// A file that is being recorded. Whatever ends the recording, what was written is brought away.
pub(crate) struct Recorded {
    file: File,
    /// `None` once it is brought away.
    job: Option<Job>,
    spool: Arc<Spool>,
}

impl Recorded {
    pub(super) fn create(
        spool: &Arc<Spool>,
        instance: Arc<Instance>,
        note: Note,
        space: Space,
        pending: Pending,
    ) -> io::Result<Self> {
        let stem = instance.next();
        let file = private_file(&stem.with_extension(MEDIA))?;
        if let Err(error) = note.save(&stem) {
            // Nothing says where it goes; what it cannot be removed for is this error again.
            let _ = remove(&stem);
            return Err(error);
        }
        let job = Job {
            stem,
            note,
            attempts: 0,
            pending: Some(pending),
            events: None,
            space,
            _instance: instance,
        };
        Ok(Self {
            file,
            job: Some(job),
            spool: spool.clone(),
        })
    }

    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    /// Room for so many more bytes.
    ///
    /// # Errors
    /// [`io::ErrorKind::QuotaExceeded`]
    pub(crate) fn grow(&mut self, bytes: u64) -> io::Result<()> {
        match &mut self.job {
            Some(job) => job.space.grow(bytes),
            None => Ok(()),
        }
    }

    /// Nothing more is written, and everything is on the disk: it is brought away.
    ///
    /// # Errors
    /// Those of the system; it is brought away all the same.
    pub(crate) fn complete(&mut self) -> io::Result<()> {
        let Some(mut job) = self.job.take() else {
            return Ok(());
        };
        job.note.is_complete = true;
        let saved = job.note.save(&job.stem);
        self.spool.push(job);
        saved
    }
}

#[cfg(test)]
impl Recorded {
    /// What is to be brought away, without anybody to do so.
    pub(super) fn into_job(mut self) -> Job {
        self.job.take().unwrap()
    }
}

impl Drop for Recorded {
    fn drop(&mut self) {
        if let Some(job) = self.job.take() {
            self.spool.push(job);
        }
    }
}

/// A file that is to be brought away.
pub(super) struct Job {
    /// Its path without an ending.
    pub(super) stem: PathBuf,
    pub(super) note: Note,
    pub(super) attempts: u32,
    /// Until it was tried for the first time.
    pub(super) pending: Option<Pending>,
    /// Whom to tell after that.
    events: Option<super::UploadEvents>,
    space: Space,
    /// Its lock says that the file is ours.
    _instance: Arc<Instance>,
}

impl Job {
    pub(super) fn uri(&self) -> String {
        self.note.object.to_string()
    }

    pub(super) fn media(&self) -> PathBuf {
        self.stem.with_extension(MEDIA)
    }

    /// Tells the endpoint, if there is one still.
    pub(super) fn tell(&self, event: &UploadEvent) {
        let events = self
            .pending
            .as_ref()
            .map(Pending::events)
            .or(self.events.as_ref());
        if let Some(listener) = events.and_then(|events| events.listener.upgrade()) {
            contained("an event of an upload", || listener(event));
        }
    }

    /// It was tried.
    pub(super) fn settle(&mut self) {
        if let Some(pending) = self.pending.take() {
            self.events = Some(pending.events().clone());
        }
    }

    /// Removes it from the disk: the file first, since a note without one is known to be of no use.
    pub(super) fn remove(&self) -> io::Result<()> {
        remove(&self.stem)
    }
}

fn remove(stem: &Path) -> io::Result<()> {
    for ending in [MEDIA, NOTE, NEW] {
        match fs::remove_file(stem.with_extension(ending)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// What a process has left in its directory, oldest first. What it had not begun to write is removed.
pub(super) fn left_in(instance: &Arc<Instance>, room: &Arc<Room>) -> Vec<Job> {
    let entries = fs::read_dir(instance.path())
        .into_iter()
        .flatten()
        .flatten();
    let mut stems: Vec<PathBuf> = entries
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some())
        .map(|path| path.with_extension(""))
        .collect();
    stems.sort();
    stems.dedup();
    let jobs = stems.into_iter().filter_map(|stem| {
        let job = left(&stem, instance, room);
        job.unwrap_or_else(|error| {
            tracing::error!(
                "{} in the spool cannot be brought away: {error}",
                stem.display()
            );
            None
        })
    });
    jobs.collect()
}

fn left(stem: &Path, instance: &Arc<Instance>, room: &Arc<Room>) -> io::Result<Option<Job>> {
    let length = match fs::metadata(stem.with_extension(MEDIA)) {
        Ok(metadata) => metadata.len(),
        // It was being removed.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return remove(stem).map(|()| None);
        }
        Err(error) => return Err(error),
    };
    let note = fs::read(stem.with_extension(NOTE));
    if length == 0
        && note
            .as_ref()
            .is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
    {
        return remove(stem).map(|()| None);
    }
    let note: Note = serde_json::from_slice(&note?)?;
    if length == 0 && !note.is_complete {
        // Nothing was recorded, and an empty object must not take the place of a former recording.
        return remove(stem).map(|()| None);
    }
    Ok(Some(Job {
        stem: stem.to_owned(),
        note,
        attempts: 0,
        pending: None,
        events: None,
        space: room.of_file(length),
        _instance: instance.clone(),
    }))
}
