//! What a playback reports, and how it ends.

use std::time::Instant;

use rivero_gst::{bus::Report, gst, gst::prelude::*, playback::Notice};
use rivero_plugin_api::supervise::lock;
use rivero_uri::UriState;

use super::Drive;
use crate::{api::PlayerEndpointEvents, failure::Failure, playback::Playback};

impl Drive {
    pub(super) fn notice(&mut self, notice: Notice) {
        match notice {
            Notice::Report(report) => self.report(report),
            Notice::Empty => {
                let text = "it has neither sound nor picture".to_owned();
                self.fail(&Failure::Media(text));
            }
            Notice::Failed(error) => self.fail(&Failure::Pipeline(error)),
        }
    }

    fn report(&mut self, report: Report) {
        match report {
            Report::Error(error) => {
                let failure = match &self.playback {
                    Some(playback) => playback.failure(error),
                    None => Failure::new(error, false),
                };
                self.fail(&failure);
            }
            Report::Warning(warning) => {
                tracing::warn!(player = self.spec.context.id(), "{warning}");
            }
            // It has no end: it is shown until it is stopped.
            Report::EndOfStream if self.playback.as_ref().is_some_and(Playback::is_still_image) => {
            }
            Report::EndOfStream if self.retries(&"it has ended") => {}
            Report::EndOfStream if self.items.has_next() => self.go_on(),
            Report::EndOfStream => {
                self.finish();
                self.spec.base.enter(UriState::Stop);
                self.spec.context.end_of_stream();
            }
            Report::AsyncDone => self.apply(),
            Report::Buffering(percent) => {
                let buffers = percent < 100;
                if std::mem::replace(&mut self.buffers, buffers) != buffers {
                    self.apply();
                }
            }
            Report::Latency => {
                if let Some(playback) = &self.playback {
                    // Who cannot say how much they delay keep what they had.
                    let _ = playback.pipeline().recalculate_latency();
                }
            }
            Report::ClockLost => {
                if let Some(playback) = &self.playback {
                    // It plays again, or an element has said why not.
                    let _ = playback.pipeline().set_state(gst::State::Paused);
                }
                self.apply();
            }
            _ => {}
        }
    }

    /// Ends the playback and asks its source again later, if that is to be done. The client notices a pause.
    fn retries(&mut self, reason: &dyn std::fmt::Display) -> bool {
        let is_own = match &self.playback {
            Some(playback) => playback.is_connection(),
            None => self.is_retrying,
        };
        let retry_at = is_own
            .then(|| self.watch.retry_at(Instant::now()))
            .flatten();
        if retry_at.is_none() {
            return false;
        }
        tracing::warn!(
            player = self.spec.context.id(),
            "asking a live source again: {reason}"
        );
        self.end();
        (self.retry_at, self.is_retrying) = (retry_at, true);
        true
    }

    /// The playback is over, unless its source is asked again or a playlist has more. Each entry that fails is told.
    pub(super) fn fail(&mut self, failure: &Failure) {
        if self.retries(failure) {
            return;
        }
        if self.items.has_next() {
            self.tell(failure);
            return self.go_on();
        }
        self.finish();
        self.tell(failure);
        self.spec.base.enter(UriState::Stop);
    }

    /// Plays what comes next in a playlist. In a loop, since all of a thousand entries may fail at once.
    fn go_on(&mut self) {
        loop {
            self.items.advance();
            self.watch.forget();
            let Err(failure) = self.begin() else {
                break;
            };
            if !self.items.has_next() {
                return self.fail(&failure);
            }
            self.tell(&failure);
        }
        if self.opening.is_none() {
            self.wait_no_more();
        }
    }

    fn tell(&self, failure: &Failure) {
        let (kind, code) = failure.event();
        tracing::warn!(player = self.spec.context.id(), "{failure}");
        self.spec.context.error(kind, code, &failure.to_string());
    }

    /// The same, and its source is not asked again.
    pub(super) fn finish(&mut self) {
        self.end();
        self.items.clear();
        self.watch.forget();
        self.is_retrying = false;
    }

    /// Ends the playback, if there is one; nothing that it says counts any more.
    pub(super) fn end(&mut self) {
        self.retry_at = None;
        self.lookups.wanted = None;
        if self.opening.take().is_some() {
            self.number += 1;
            self.wait_no_more();
        }
        let Some(playback) = self.playback.take() else {
            return;
        };
        self.number += 1;
        (self.is_live, self.buffers, self.idle) = (false, false, 0);
        lock(&self.current).pipeline.set(None);
        drop(playback);
        for outlet in &self.spec.outlets {
            outlet.pad.set_format(None);
        }
    }
}
