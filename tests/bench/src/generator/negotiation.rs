//! The control side of the load, as kurento-utils does it: create, connect, processOffer,
//! gatherCandidates, candidates both ways.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{Generator, PUBLISHER};
use crate::{error::Error, rpc::Incoming, sdp};

/// What a request was sent for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Step {
    /// The pipeline.
    Pipeline,
    /// A participant's endpoint.
    Endpoint(usize),
    /// The answer to its offer.
    Answer(usize),
    /// Nothing that the reply is needed for.
    Nothing,
}

impl Generator {
    /// Creates the pipeline and connects the publisher, which sends from then on.
    pub(crate) fn start_publishing(&mut self) -> Result<(), Error> {
        self.rpc
            .create("MediaPipeline", json!({}), Step::Pipeline)?;
        self.run_until("the pipeline exists", |it| !it.pipeline.is_empty())?;
        self.create_endpoint(PUBLISHER)?;
        self.run_until("the publisher's endpoint exists", Self::is_idle)?;
        self.join(PUBLISHER)?;
        self.run_until("the publisher is connected", |it| it.source.is_some())
    }

    /// Creates the viewers' endpoints and connects them to the publisher's.
    pub(crate) fn prepare_viewers(&mut self) -> Result<(), Error> {
        for number in 1..self.participants.len() {
            self.create_endpoint(number)?;
        }
        self.run_until("the viewers' endpoints exist", Self::is_idle)
    }

    /// Has the viewers join, one after each `interval`, until all receive.
    pub(crate) fn join_viewers(&mut self, interval: Duration) -> Result<(), Error> {
        for number in 1..self.participants.len() {
            self.join(number)?;
            self.run_for(interval)?;
        }
        self.run_until("every viewer receives", |it| {
            it.viewers().all(|viewer| viewer.first_media.is_some())
        })
    }

    /// Releases the pipeline with everything in it.
    pub(crate) fn release(&mut self) -> Result<(), Error> {
        self.source = None;
        let params = json!({"object": self.pipeline});
        self.rpc.request("release", params, Step::Nothing)?;
        self.run_until("the pipeline is released", Self::is_idle)
    }

    fn is_idle(&self) -> bool {
        self.rpc.outstanding() == 0
    }

    fn create_endpoint(&mut self, number: usize) -> Result<(), Error> {
        let params = json!({"mediaPipeline": self.pipeline});
        self.rpc
            .create("WebRtcEndpoint", params, Step::Endpoint(number))
    }

    fn join(&mut self, number: usize) -> Result<(), Error> {
        let Some(participant) = self.participants.get_mut(number) else {
            return Ok(());
        };
        participant.asked = Some(Instant::now());
        let params = json!({"offer": participant.offer});
        let object = &participant.object;
        self.rpc
            .invoke(object, "processOffer", params, Step::Answer(number))
    }

    /// Takes everything that the server has said.
    pub(super) fn negotiate(&mut self) -> Result<(), Error> {
        while let Some(incoming) = self.rpc.receive()? {
            match incoming {
                Incoming::Reply { purpose, value } => self.reply(purpose, &value)?,
                Incoming::Event(event) => self.event(&event)?,
            }
        }
        Ok(())
    }

    fn reply(&mut self, step: Step, value: &Value) -> Result<(), Error> {
        let text = value.as_str().unwrap_or_default();
        match step {
            Step::Pipeline => text.clone_into(&mut self.pipeline),
            Step::Endpoint(number) => self.created(number, text)?,
            Step::Answer(number) => self.answered(number, text)?,
            Step::Nothing => {}
        }
        Ok(())
    }

    fn created(&mut self, number: usize, object: &str) -> Result<(), Error> {
        let Some(participant) = self.participants.get_mut(number) else {
            return Ok(());
        };
        object.clone_into(&mut participant.object);
        self.by_object.insert(object.to_owned(), number);
        let params = json!({"object": object, "type": "IceCandidateFound"});
        self.rpc.request("subscribe", params, Step::Nothing)?;
        if number == PUBLISHER {
            return Ok(());
        }
        let publisher = self.participants.first();
        let publisher = publisher.map(|participant| participant.object.clone());
        let params = json!({"sink": object});
        self.rpc.invoke(
            &publisher.unwrap_or_default(),
            "connect",
            params,
            Step::Nothing,
        )
    }

    fn answered(&mut self, number: usize, answer: &str) -> Result<(), Error> {
        let remote = sdp::remote_parameters(answer)?;
        let Some(participant) = self.participants.get_mut(number) else {
            return Ok(());
        };
        let now = Instant::now();
        participant.answered = participant
            .asked
            .map(|asked| now.saturating_duration_since(asked));
        participant.peer.set_remote(now, remote)?;
        let candidate = json!({
            "candidate": participant.candidate, "sdpMid": "0", "sdpMLineIndex": 0,
        });
        let object = &participant.object;
        let none = json!({});
        self.rpc
            .invoke(object, "gatherCandidates", none, Step::Nothing)?;
        let params = json!({"candidate": candidate});
        self.rpc
            .invoke(object, "addIceCandidate", params, Step::Nothing)?;
        self.settle(number);
        Ok(())
    }

    /// The only events are candidates of the server.
    fn event(&mut self, event: &Value) -> Result<(), Error> {
        let text = |pointer: &str| event.pointer(pointer).and_then(Value::as_str);
        let number = text("/object").and_then(|object| self.by_object.get(object));
        let (Some(&number), Some(line)) = (number, text("/data/candidate/candidate")) else {
            return Ok(());
        };
        // Participants have addresses of IPv4 only.
        let address = line.split_whitespace().nth(4).unwrap_or_default();
        if address.contains(':') {
            return Ok(());
        }
        if let Some(participant) = self.participants.get_mut(number) {
            participant
                .peer
                .add_remote_candidate(Instant::now(), line)?;
        }
        self.settle(number);
        Ok(())
    }
}
