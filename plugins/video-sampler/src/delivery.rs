//! Sends the pictures of one sampler, one after the other.

use std::{
    sync::{Arc, Mutex, atomic::Ordering::Relaxed},
    time::Instant,
};

use rivero_http::Dialer;
use rivero_plugin_api::{
    ElementContext,
    supervise::{BackOff, contain_future, lock},
};
use tokio::time::sleep;

use crate::{
    api::ImageEncoding,
    channel::Channel,
    failure::Failure,
    gate::Gate,
    message::{SampleImage, timestamp},
    outbox::Outbox,
    tally::{Due, Tally},
    target::Target,
};

/// A picture to be sent.
pub(crate) struct Sample {
    pub(crate) due: Due,
    pub(crate) file: Vec<u8>,
}

/// The way of a sampler's pictures to its service.
pub(crate) struct Delivery {
    pub(crate) context: ElementContext,
    pub(crate) target: Target,
    pub(crate) dialer: Dialer,
    pub(crate) encoding: ImageEncoding,
    pub(crate) metadata: String,
    pub(crate) outbox: Outbox<Sample>,
    pub(crate) gate: Mutex<Gate>,
    pub(crate) tally: Arc<Tally>,
}

impl Delivery {
    /// Serves until the task is aborted. A panic costs the connection and the picture.
    pub(crate) async fn run(self: Arc<Self>) {
        let mut back_off = BackOff::default();
        loop {
            if let Err(text) = contain_future(self.serve()).await {
                self.context.panicked("sampler", &text);
            }
            sleep(back_off.pause(Instant::now())).await;
        }
    }

    async fn serve(&self) {
        let mut channel = None;
        loop {
            let Sample { due, file } = self.outbox.take().await;
            let size = file.len();
            let image = self.image(&due, file);
            match self.deliver(&mut channel, image).await {
                Ok(()) => {
                    lock(&self.gate).succeeded();
                    due.delivered(size);
                }
                Err(failure) => {
                    self.failed(&failure);
                    due.failed();
                }
            }
            self.tally.is_connected.store(channel.is_some(), Relaxed);
        }
    }

    /// Sends over the connection that there is, or a new one. It is made when there is something to send, so that a
    /// service is not bothered by samplers without media.
    async fn deliver(&self, kept: &mut Option<Channel>, image: SampleImage) -> Result<(), Failure> {
        let usable = kept.take().filter(|channel| !channel.is_closed());
        let mut channel = match usable {
            Some(channel) => channel,
            None => Channel::open(&self.target, &self.dialer).await?,
        };
        let delivered = channel.deliver(image).await;
        if !delivered.as_ref().is_err_and(Failure::is_lasting) {
            *kept = Some(channel);
        }
        delivered
    }

    fn image(&self, due: &Due, file: Vec<u8>) -> SampleImage {
        SampleImage {
            codec: self.encoding.as_str().to_owned(),
            data: file.into(),
            timestamp: timestamp(due.unix_nanoseconds),
            pipeline_id: self.context.pipeline().to_owned(),
            metadata: self.metadata.clone(),
            unix_nanoseconds: due.unix_nanoseconds,
            sampler_id: self.context.id().to_owned(),
            sequence: due.sequence,
        }
    }

    /// A picture was not delivered, or cannot be sent.
    fn failed(&self, failure: &Failure) {
        let text = failure.to_string();
        self.tally.failed(&text);
        if lock(&self.gate).failed(Instant::now(), failure.is_lasting()) {
            self.tell(&text);
        }
    }

    /// There is no file of a picture.
    pub(crate) fn unusable(&self, text: &str) {
        self.tally.failed(text);
        if lock(&self.gate).failed(Instant::now(), false) {
            self.tell(text);
        }
    }

    fn tell(&self, text: &str) {
        tracing::info!(error = text, "pictures are not delivered");
        self.context.error("RESOURCE_ERROR_WRITE", 0, text);
    }
}
