//! Brings one file to its store.

use std::{fs::File, io, sync::Arc};

use rivero_plugin_api::host;
use rivero_uri::{Access, Location, Policy, UriSettings};

use super::{
    entry::Job,
    events::UploadEvent,
    queue::{Bringing, Courier},
};
use crate::{
    s3::{self, Failure, Multipart, Store},
    settings::Settings,
};

/// To the store that the server's configuration names.
pub(super) struct ToStore;

impl Courier for ToStore {
    fn bring<'a>(&'a self, job: &'a mut Job) -> Bringing<'a> {
        Box::pin(async move {
            let (file, length) = open(job).await.map_err(Failure::Spool)?;
            job.tell(&UploadEvent::Uploading {
                uri: job.uri(),
                bytes: length,
                attempt: job.attempts,
            });
            let (store, policy) = configured(job).map_err(Failure::Configuration)?;
            bring(job, (&store, &policy), &file, length).await?;
            Ok(length)
        })
    }
}

async fn open(job: &Job) -> io::Result<(Arc<File>, u64)> {
    let path = job.media();
    let opened = tokio::task::spawn_blocking(move || {
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        Ok((Arc::new(file), length))
    });
    opened.await.map_err(io::Error::other)?
}

/// The store, and the policy: as they are now, which is not what they were when the file was recorded by another server.
fn configured(job: &Job) -> Result<(Store, Policy), String> {
    let settings: UriSettings = match host() {
        Some(host) => host
            .configuration("UriEndpoint")
            .map_err(|error| error.to_string())?,
        None => UriSettings::default(),
    };
    let policy = Policy::new(&settings);
    let location = Location::parse(&job.uri(), &settings.default_path);
    location
        .and_then(|location| policy.check(&location, Access::Write))
        .map_err(|refusal| refusal.to_string())?;
    let settings = Settings::load().map_err(|error| error.to_string())?;
    Ok((settings.store()?, policy))
}

async fn bring(
    job: &mut Job,
    to: (&Store, &Policy),
    file: &Arc<File>,
    length: u64,
) -> Result<(), Failure> {
    if length == 0 {
        return s3::put_empty(to, &job.note.object, &job.note.content_type).await;
    }
    let former = job.note.multipart.clone();
    let failure = match parts(job, to, file, length).await {
        Ok(()) => return Ok(()),
        Err(failure) => failure,
    };
    // It began before this attempt, perhaps with another store, and has not come forward since.
    let is_stuck = former.is_some() && former == job.note.multipart;
    let is_lost = failure.is_lost_upload() || is_stuck && failure.may_be_lost_upload();
    if !is_lost {
        return Err(failure);
    }
    if let Some(lost) = job.note.multipart.take() {
        // Stores keep parts, and have them paid for, until they are told. One that knows nothing of them says so.
        let _ = lost.abort(to, &job.note.object).await;
    }
    save(job).await;
    match former {
        Some(_) => parts(job, to, file, length).await,
        None => Err(failure),
    }
}

async fn parts(
    job: &mut Job,
    to: (&Store, &Policy),
    file: &Arc<File>,
    length: u64,
) -> Result<(), Failure> {
    if job.note.multipart.is_none() {
        let note = &job.note;
        let begun = Multipart::begin(to, &note.object, &note.content_type, length).await?;
        job.note.multipart = Some(begun);
        // Before there are parts: whoever goes on after a kill finds them.
        save(job).await;
    }
    while let Some(multipart) = &mut job.note.multipart
        && !multipart.has_all(length)
    {
        multipart
            .send_part(to, &job.note.object, (file, length))
            .await?;
        save(job).await;
    }
    match &job.note.multipart {
        Some(multipart) => multipart.complete(to, &job.note.object).await,
        None => Ok(()),
    }
}

/// Keeps how far it has come: a few hundred bytes for each 8 MiB that are sent. Where that cannot be written the upload goes on
/// all the same, since a disk that is full gets room by nothing else; after a kill more is sent again then.
async fn save(job: &Job) {
    let (note, stem) = (job.note.clone(), job.stem.clone());
    let saved = tokio::task::spawn_blocking(move || note.save(&stem));
    if let Err(error) = saved
        .await
        .map_err(io::Error::other)
        .and_then(|saved| saved)
    {
        tracing::warn!("how far {} has come cannot be kept: {error}", job.uri());
    }
}
