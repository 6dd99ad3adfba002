//! A stream on its way to the pipeline.

use std::{sync::Arc, time::Duration};

use rivero_gst::{gst, gst::prelude::*};
use rivero_hls::{
    choice::choose,
    demux::{Event, Kind},
    playlist::Playlist,
    timeline::Timeline,
};
use rivero_uri::Policy;
use url::Url;

use super::{
    SECOND,
    output::{Calls, Output, Streams},
    rendition::{Rendition, Step, media, nanoseconds},
    resource::Fetcher,
};
use crate::failure::Failure;

/// After the pipeline had nothing left it plays on with so much, ns.
const ENOUGH: i64 = SECOND;

/// See the head of this file.
pub(crate) struct Session {
    renditions: Vec<Rendition>,
    outputs: Vec<Output>,
    timeline: Timeline,
    calls: Arc<Calls>,
    /// Frames are passed on as they are.
    is_passed_on: bool,
    /// The pipeline stands still until there is more.
    is_buffering: bool,
}

impl Session {
    /// Loads what a playlist names, and reads as much as is needed to know its tracks.
    ///
    /// # Errors
    /// [`Failure::Uri`], [`Failure::Media`]
    pub(crate) async fn open(
        text: &str,
        base: Url,
        policy: Policy,
        is_passed_on: bool,
    ) -> Result<Self, Failure> {
        let mut session = Self {
            renditions: renditions(text, base, policy).await?,
            outputs: Vec::new(),
            timeline: Timeline::default(),
            calls: Arc::default(),
            is_passed_on,
            is_buffering: false,
        };
        session.find_tracks().await?;
        Ok(session)
    }

    async fn find_tracks(&mut self) -> Result<(), Failure> {
        let duration = self.duration();
        for rendition in &mut self.renditions {
            let codecs = loop {
                if let Some(codecs) = rendition.tracks() {
                    break codecs;
                }
                if rendition.step(&self.timeline).await? == Step::Lost {
                    rendition.begin_anew(0);
                }
            };
            let output = |codec| Output::new(codec, duration, &self.calls);
            self.outputs.extend(codecs.into_iter().map(output));
        }
        if self.outputs.is_empty() {
            return Err(Failure::Media(
                "the HLS stream has neither sound nor picture".to_owned(),
            ));
        }
        Ok(())
    }

    /// ns of a film; `None`: it is live.
    fn duration(&self) -> Option<i64> {
        let media = self.renditions.first()?.media();
        media.is_complete.then(|| nanoseconds(media.duration()))
    }

    /// What the pipeline is made of.
    pub(crate) fn streams(&self) -> Streams {
        let media = self.renditions.first().map(Rendition::media);
        let film = media.filter(|media| media.is_complete);
        let mut end = Duration::ZERO;
        let beginnings = film
            .into_iter()
            .flat_map(|media| &media.segments)
            .map(|segment| {
                let begin = end;
                end += segment.duration;
                nanoseconds(begin)
            });
        Streams {
            beginnings: beginnings.collect(),
            sources: self
                .outputs
                .iter()
                .map(|output| output.source.clone())
                .collect(),
        }
    }

    /// Gives the pipeline what it asks for, until that fails.
    pub(crate) async fn run(mut self) {
        loop {
            if let Err(failure) = self.feed().await
                && let Some(output) = self.outputs.first()
            {
                tell(&output.source, &failure);
                return;
            }
        }
    }

    async fn feed(&mut self) -> Result<(), Failure> {
        // What is pushed to a source before it has been where it begins is lost.
        while !self.outputs.iter().all(Output::has_begun) {
            self.calls.hungry.notified().await;
        }
        let sought = self.outputs.iter_mut().filter_map(Output::sought).last();
        if let Some(place) = sought {
            for rendition in &mut self.renditions {
                rendition.seek(place);
            }
            self.begin_anew();
        }
        self.give();
        self.watch_levels();
        let Some(index) = self.next() else {
            let calls = self.calls.clone();
            tokio::select! {
                () = calls.hungry.notified() => {}
                () = calls.sought.notified() => {}
            }
            return Ok(());
        };
        let calls = self.calls.clone();
        let Some(rendition) = self.renditions.get_mut(index) else {
            return Ok(());
        };
        let step = tokio::select! {
            step = rendition.step(&self.timeline) => step?,
            // What is waited for here is of no use.
            () = calls.sought.notified() => return Ok(()),
        };
        if step == Step::Lost {
            self.catch_up();
        }
        Ok(())
    }

    /// Number of the rendition that is to be read: what is furthest behind of those that are wanted.
    fn next(&self) -> Option<usize> {
        let wanted = self.renditions.iter().enumerate().filter(|(_, rendition)| {
            let is_hungry =
                |output: &Output| rendition.kinds().contains(&output.kind) && output.is_hungry();
            !rendition.is_over() && self.outputs.iter().any(is_hungry)
        });
        wanted
            .min_by_key(|(_, rendition)| rendition.place())
            .map(|(index, _)| index)
    }

    /// Gives what was read.
    fn give(&mut self) {
        for rendition in &mut self.renditions {
            while let Some((event, offset)) = rendition.take(&mut self.timeline) {
                let kind = match &event {
                    Event::Track(codec) => codec.kind(),
                    Event::Frame(frame) => frame.kind,
                };
                let own = self.outputs.iter_mut().find(|output| output.kind == kind);
                match (own, event) {
                    (Some(output), Event::Track(codec)) => output.follow(&codec),
                    (Some(output), Event::Frame(frame)) => {
                        output.give(frame, offset, self.is_passed_on)
                    }
                    (None, _) => {}
                }
            }
            if rendition.is_over() {
                let is_own = |output: &&mut Output| rendition.kinds().contains(&output.kind);
                self.outputs.iter_mut().filter(is_own).for_each(Output::end);
            }
        }
    }

    fn begin_anew(&mut self) {
        for output in &mut self.outputs {
            output.begin_anew();
        }
    }

    /// A live stream has gone on without us: what comes next is played at once.
    fn catch_up(&mut self) {
        tracing::warn!("an HLS stream is too far behind: it goes on near its end");
        self.timeline.forget();
        let end = self
            .renditions
            .iter()
            .map(Rendition::place)
            .max()
            .unwrap_or(0);
        for rendition in &mut self.renditions {
            rendition.begin_anew(end);
        }
        self.begin_anew();
    }

    /// Has the pipeline stand still where it would go on without media, until there is some.
    fn watch_levels(&mut self) {
        let mut levels = self
            .renditions
            .iter()
            .filter(|rendition| !rendition.is_over())
            .map(|rendition| {
                let own = { self.outputs.iter() }
                    .filter(|output| rendition.kinds().contains(&output.kind));
                let is_empty = own.clone().all(Output::is_empty);
                (is_empty, own.map(Output::level).max().unwrap_or(0))
            });
        let is_buffering = if self.is_buffering {
            levels.any(|(_, level)| level < ENOUGH)
        } else {
            levels.any(|(is_empty, _)| is_empty)
        };
        drop(levels);
        if std::mem::replace(&mut self.is_buffering, is_buffering) != is_buffering
            && let Some(output) = self.outputs.first()
        {
            let percent = if is_buffering { 0 } else { 100 };
            let message = gst::message::Buffering::builder(percent).src(&output.source);
            // Without a bus there is nobody to be told.
            let _ = output.source.post_message(message.build());
        }
    }
}

/// What a playlist names: the stream itself, or a variant of it, with sound that is apart.
async fn renditions(text: &str, base: Url, policy: Policy) -> Result<Vec<Rendition>, Failure> {
    let fetcher = Fetcher::new(policy, &base);
    let both = vec![Kind::Video, Kind::Audio];
    let master = match Playlist::parse(text, &base).map_err(media)? {
        Playlist::Media(own) => {
            let parts = (own, fetcher.clone());
            return Ok(vec![Rendition::new(base, fetcher, parts, both)]);
        }
        Playlist::Master(master) => master,
    };
    let Some(choice) = choose(&master) else {
        return Err(media(rivero_hls::Error::Empty));
    };
    let Some(sound) = choice.sound else {
        return Ok(vec![Rendition::load(choice.main, fetcher, both).await?]);
    };
    let pictures = Rendition::load(choice.main, fetcher.clone(), vec![Kind::Video]).await?;
    let sound = Rendition::load(sound, fetcher, vec![Kind::Audio]).await?;
    Ok(vec![pictures, sound])
}

/// The pipeline has failed.
fn tell(source: &rivero_gst::gst_app::AppSrc, failure: &Failure) {
    let text = failure.to_string();
    match failure {
        Failure::Media(_) => {
            gst::element_error!(source, gst::StreamError::Demux, ("{}", text));
        }
        _ => gst::element_error!(source, gst::ResourceError::Read, ("{}", text)),
    }
}
