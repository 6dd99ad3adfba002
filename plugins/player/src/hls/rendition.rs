//! One playlist of segments, read one after the other.

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use rivero_hls::{
    cipher::Cipher,
    demux::{Demuxer, Event, Frame, Kind},
    playlist::{Key, Map, Media, Playlist, Segment},
    timeline::Timeline,
    window::Next,
};
use tokio::time::{sleep, timeout};
use url::Url;

use super::resource::{Fetcher, Resource};
use crate::failure::Failure;

/// A server that gives nothing for so long has failed.
const PATIENCE: Duration = Duration::from_secs(30);
/// A live playlist without new segments for so many target durations, and for longer than that, has ended without saying so.
const SILENCE: u32 = 6;
/// So many segments, one after the other, may be missing.
const MOST_MISSING: u32 = 3;
/// Bytes of a key, and more than that; and of a header at most.
const KEY: usize = 64;
const LARGEST_HEADER: usize = 16 << 20;
/// Frames at the beginning of a period that are held until all tracks have one.
const MOST_HELD: usize = 2000;

/// See the head of this file.
pub(super) struct Rendition {
    url: Url,
    /// For the playlist itself, and for what it names.
    fetcher: Fetcher,
    named: Fetcher,
    media: Media,
    /// Of what its segments have, this is played.
    kinds: Vec<Kind>,
    /// When the playlist was loaded, and when it had something new.
    loaded: Instant,
    changed: Instant,
    /// Number of the segment that is read, or comes next.
    next: u64,
    open: Option<Open>,
    demuxer: Option<Reading>,
    found: VecDeque<Event>,
    /// ns; where what comes next is played.
    place: i64,
    secrets: Secrets,
    missing: u32,
    is_over: bool,
}

/// A segment on its way.
struct Open {
    resource: Resource,
    cipher: Option<Cipher>,
    duration: Duration,
    period: u64,
    /// ns that are added to the times of its frames, once that is known.
    offset: Option<i64>,
    /// All of it was read.
    is_read: bool,
}

/// What reads the segments of a period.
struct Reading {
    demuxer: Demuxer,
    period: u64,
    map: Option<Arc<Map>>,
}

/// What was fetched last of what many segments need.
#[derive(Default)]
struct Secrets {
    key: Option<(Arc<Key>, Bytes)>,
    map: Option<(Arc<Map>, Bytes)>,
}

/// What came of a step.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Something, or nothing yet.
    Done,
    /// The window of a live stream has moved away: all renditions are to begin anew.
    Lost,
}

impl Rendition {
    /// Loads a playlist of segments.
    ///
    /// # Errors
    /// [`Failure::Uri`], [`Failure::Media`]
    pub(super) async fn load(
        url: Url,
        fetcher: Fetcher,
        kinds: Vec<Kind>,
    ) -> Result<Self, Failure> {
        let (media, named) = load(&url, &fetcher).await?;
        Ok(Self::new(url, fetcher, (media, named), kinds))
    }

    /// Of a playlist that is known already, with what fetches its segments.
    pub(super) fn new(
        url: Url,
        fetcher: Fetcher,
        (media, named): (Media, Fetcher),
        kinds: Vec<Kind>,
    ) -> Self {
        let now = Instant::now();
        Self {
            next: media.beginning(),
            url,
            fetcher,
            named,
            media,
            kinds,
            loaded: now,
            changed: now,
            open: None,
            demuxer: None,
            found: VecDeque::new(),
            place: 0,
            secrets: Secrets::default(),
            missing: 0,
            is_over: false,
        }
    }

    pub(super) fn media(&self) -> &Media {
        &self.media
    }

    pub(super) fn is_over(&self) -> bool {
        self.is_over
    }

    pub(super) fn kinds(&self) -> &[Kind] {
        &self.kinds
    }

    /// ns; how far it was read.
    pub(super) fn place(&self) -> i64 {
        self.place
    }

    /// Goes on at ns of a film.
    pub(super) fn seek(&mut self, place: i64) {
        let wanted = Duration::from_nanos(u64::try_from(place).unwrap_or(0));
        let (number, begin) = self.media.at(wanted);
        self.begin_at(number, nanoseconds(begin));
    }

    /// Goes on near the end of a live stream, to be played from ns on.
    pub(super) fn begin_anew(&mut self, place: i64) {
        self.begin_at(self.media.beginning(), place);
    }

    fn begin_at(&mut self, number: u64, place: i64) {
        (self.next, self.place) = (number, place);
        (self.open, self.demuxer, self.is_over) = (None, None, false);
        self.found.clear();
    }

    /// What was found next, with what is added to its times; `None`: more has to be read.
    pub(super) fn take(&mut self, timeline: &mut Timeline) -> Option<(Event, i64)> {
        let offset = self.offset(timeline)?;
        loop {
            let event = self.found.pop_front()?;
            match &event {
                Event::Track(codec) if self.kinds.contains(&codec.kind()) => {}
                Event::Frame(frame) if self.kinds.contains(&frame.kind) => {
                    self.note(frame, offset);
                }
                _ => continue,
            }
            return Some((event, offset));
        }
    }

    /// Codecs of the tracks at the beginning that have a frame each; `None`: that is not known yet.
    pub(super) fn tracks(&mut self) -> Option<Vec<rivero_hls::demux::Codec>> {
        let codecs = self.found.iter().filter_map(|event| match event {
            Event::Track(codec) => Some(codec),
            Event::Frame(_) => None,
        });
        let codecs: Vec<_> = codecs
            .filter(|codec| self.kinds.contains(&codec.kind()))
            .cloned()
            .collect();
        let has_frame = |kind| {
            let is_own = |event: &Event| matches!(event, Event::Frame(frame) if frame.kind == kind);
            self.found.iter().any(is_own)
        };
        let is_known = !codecs.is_empty() && codecs.iter().all(|codec| has_frame(codec.kind()));
        let is_read = self.is_over
            || self.found.len() > MOST_HELD
            || self.open.as_ref().is_some_and(|open| open.is_read);
        if !is_known && !is_read {
            return None;
        }
        let found: Vec<_> = codecs
            .into_iter()
            .filter(|codec| has_frame(codec.kind()))
            .collect();
        self.kinds
            .retain(|kind| found.iter().any(|codec| codec.kind() == *kind));
        Some(found)
    }

    fn note(&mut self, frame: &Frame, offset: i64) {
        if let Some(time) = frame.time {
            let end = time.saturating_add(offset).saturating_add(frame.duration);
            self.place = self.place.max(end);
        }
    }

    /// What is added to the times of what was found.
    fn offset(&mut self, timeline: &mut Timeline) -> Option<i64> {
        let open = self.open.as_ref()?;
        if let Some(offset) = open.offset {
            return Some(offset);
        }
        let (period, is_read) = (open.period, open.is_read);
        let times: Vec<Option<i64>> = { self.kinds.iter() }
            .map(|kind| first_time(&self.found, *kind))
            .collect();
        let has_some = times.iter().any(Option::is_some);
        let is_known = has_some && timeline.media_time(period, self.place).is_some();
        let is_enough = is_known || times.iter().all(Option::is_some);
        if !is_enough && !is_read && self.found.len() <= MOST_HELD {
            return None;
        }
        let offset = match times.into_iter().flatten().min() {
            Some(first) => timeline.begin(period, first, self.place),
            None => {
                // Of what has no times the playlist says when it is played.
                begin_at_zero(&mut self.found);
                self.place
            }
        };
        if let Some(open) = &mut self.open {
            open.offset = Some(offset);
        }
        Some(offset)
    }

    /// Reads on. It may be given up and called again.
    ///
    /// # Errors
    /// [`Failure::Uri`] where nothing can be read, [`Failure::Media`] where that makes no sense
    pub(super) async fn step(&mut self, timeline: &Timeline) -> Result<Step, Failure> {
        match &mut self.open {
            Some(open) if open.is_read => {
                // All of it has been taken.
                self.place = self.place.max(self.expected_end());
                self.next = self.next.saturating_add(1);
                self.open = None;
                Ok(Step::Done)
            }
            Some(open) => {
                let came = timeout(PATIENCE, open.resource.next()).await;
                match came.unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into())) {
                    Ok(bytes) => self.read(bytes).map(|()| Step::Done),
                    Err(error) => self.miss(Failure::Uri(error.to_string())),
                }
            }
            None => self.go_on(timeline).await,
        }
    }

    /// Of a segment whose frames have no times.
    fn expected_end(&self) -> i64 {
        match &self.open {
            Some(open) if open.offset == Some(self.place) => {
                self.place.saturating_add(nanoseconds(open.duration))
            }
            _ => self.place,
        }
    }

    fn read(&mut self, bytes: Option<Bytes>) -> Result<(), Failure> {
        let (Some(open), Some(reading)) = (&mut self.open, &mut self.demuxer) else {
            return Ok(());
        };
        let (demuxer, found) = (&mut reading.demuxer, &mut self.found);
        let Some(bytes) = bytes else {
            open.is_read = true;
            if let Some(cipher) = open.cipher.take() {
                demuxer
                    .push(cipher.finish().map_err(media)?, found)
                    .map_err(media)?;
            }
            self.missing = 0;
            return demuxer.end_segment(found).map_err(media);
        };
        let bytes = match &mut open.cipher {
            Some(cipher) => cipher.push(&bytes),
            None => bytes,
        };
        demuxer.push(bytes, found).map_err(media)
    }

    /// A segment cannot be had: the next one may.
    fn miss(&mut self, failure: Failure) -> Result<Step, Failure> {
        self.missing += 1;
        if self.missing >= MOST_MISSING || matches!(self.media.next(self.next + 1), Next::End) {
            return Err(failure);
        }
        tracing::warn!(%failure, number = self.next, "a segment of an HLS stream is left out");
        (self.open, self.demuxer) = (None, None);
        self.found.clear();
        self.next = self.next.saturating_add(1);
        Ok(Step::Done)
    }

    async fn go_on(&mut self, timeline: &Timeline) -> Result<Step, Failure> {
        match self.media.next(self.next) {
            Next::End => self.is_over = true,
            Next::Jump(_) => return Ok(Step::Lost),
            Next::Wait => self.wait().await?,
            Next::Segment(_, segment) if segment.is_gap => self.next = self.next.saturating_add(1),
            Next::Segment(number, segment) => {
                let segment = segment.clone();
                if let Err(failure) = self.open_segment(number, &segment, timeline).await {
                    return match failure {
                        Failure::Uri(_) => self.miss(failure),
                        failure => Err(failure),
                    };
                }
            }
        }
        Ok(Step::Done)
    }

    async fn open_segment(
        &mut self,
        number: u64,
        segment: &Segment,
        timeline: &Timeline,
    ) -> Result<(), Failure> {
        let cipher = match &segment.key {
            None => None,
            Some(key) => {
                let secret = self.secrets.key(key, &self.named).await?;
                Some(Cipher::new(key, &secret, number).map_err(media)?)
            }
        };
        let fits = |reading: &Reading| {
            reading.period == segment.discontinuity && reading.map == segment.map
        };
        if !self.demuxer.as_ref().is_some_and(fits) {
            let near = timeline.media_time(segment.discontinuity, self.place);
            let mut demuxer = Demuxer::new(near);
            if let Some(map) = &segment.map {
                let header = self.secrets.map(map, &self.named).await?;
                demuxer.push(header, &mut self.found).map_err(media)?;
            }
            self.demuxer = Some(Reading {
                demuxer,
                period: segment.discontinuity,
                map: segment.map.clone(),
            });
        }
        let resource = self.named.open(&segment.url, segment.part);
        let late = |_| Failure::Uri(format!("{}: timed out", segment.url.path()));
        self.open = Some(Open {
            resource: timeout(PATIENCE, resource).await.map_err(late)??,
            cipher,
            duration: segment.duration,
            period: segment.discontinuity,
            offset: None,
            is_read: false,
        });
        Ok(())
    }

    /// Waits until the playlist may have something new, and loads it again.
    async fn wait(&mut self) -> Result<(), Failure> {
        let has_changed = self.changed == self.loaded;
        let due = self.loaded + self.media.reload_after(has_changed);
        sleep(due.saturating_duration_since(Instant::now())).await;
        let silence = PATIENCE.max(self.media.target * SILENCE);
        let is_silent = self.changed.elapsed() > silence;
        let loaded = timeout(PATIENCE, load(&self.url, &self.fetcher)).await;
        let failed =
            |_| Failure::Uri("the playlist of a live stream does not come any more".to_owned());
        match loaded.map_err(failed).and_then(|loaded| loaded) {
            Ok((mut media, named)) => {
                media.follow(&self.media);
                self.loaded = Instant::now();
                if media.end() != self.media.end() || media.is_complete {
                    self.changed = self.loaded;
                } else if is_silent {
                    return Err(Failure::Silent);
                }
                (self.media, self.named) = (media, named);
                Ok(())
            }
            // A server that is started anew is asked again.
            Err(failure) if is_silent => Err(failure),
            Err(failure) => {
                tracing::debug!(%failure, "the playlist of a live stream cannot be loaded");
                self.loaded = Instant::now();
                Ok(())
            }
        }
    }
}

impl Secrets {
    async fn key(&mut self, key: &Arc<Key>, fetcher: &Fetcher) -> Result<Bytes, Failure> {
        if let Some((_, secret)) = { self.key.as_ref() }.filter(|(known, _)| known.url == key.url) {
            return Ok(secret.clone());
        }
        let secret = fetcher.all(&key.url, None, KEY).await?;
        self.key = Some((key.clone(), secret.clone()));
        Ok(secret)
    }

    /// The header of segments.
    async fn map(&mut self, map: &Arc<Map>, fetcher: &Fetcher) -> Result<Bytes, Failure> {
        if let Some((_, header)) = { self.map.as_ref() }.filter(|(known, _)| known == map) {
            return Ok(header.clone());
        }
        let mut header = fetcher.all(&map.url, map.part, LARGEST_HEADER).await?;
        if let Some(key) = &map.key {
            let secret = self.key(key, fetcher).await?;
            let mut cipher = Cipher::new(key, &secret, 0).map_err(media)?;
            let beginning = cipher.push(&header);
            let end = cipher.finish().map_err(media)?;
            header = [beginning, end].concat().into();
        }
        self.map = Some((map.clone(), header.clone()));
        Ok(header)
    }
}

/// The first time that a frame of a kind has.
fn first_time(found: &VecDeque<Event>, kind: Kind) -> Option<i64> {
    found.iter().find_map(|event| match event {
        Event::Frame(frame) if frame.kind == kind => frame.time,
        _ => None,
    })
}

/// Frames without times follow the first one of their kind, which begins a segment.
fn begin_at_zero(found: &mut VecDeque<Event>) {
    for kind in [Kind::Audio, Kind::Video] {
        let first = found.iter_mut().find_map(|event| match event {
            Event::Frame(frame) if frame.kind == kind => Some(frame),
            _ => None,
        });
        if let Some(frame) = first {
            frame.time = Some(0);
        }
    }
}

/// Loads a playlist, which has to be one of segments, and gives what fetches those.
async fn load(url: &Url, fetcher: &Fetcher) -> Result<(Media, Fetcher), Failure> {
    let (text, base) = fetcher.text(url).await?;
    match Playlist::parse(&text, &base).map_err(media)? {
        Playlist::Media(media) => Ok((media, fetcher.for_playlist(&base))),
        Playlist::Master(_) => Err(Failure::Media(
            "a variant of the HLS stream is a master playlist again".to_owned(),
        )),
    }
}

pub(super) fn media(error: rivero_hls::Error) -> Failure {
    Failure::Media(error.to_string())
}

pub(super) fn nanoseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}
