//! The operations of the class, as the descriptor has them.

use std::{
    ops::DerefMut,
    sync::{Arc, Mutex, OnceLock, atomic::AtomicBool, atomic::Ordering::Relaxed},
    time::Duration,
};

use rivero_endpoint::{
    Negotiates, Overall, Properties,
    settings::{self, BaseRtpSettings},
};
use rivero_plugin_api::{ElementContext, Error, MediaKind, Result, Upstream};
use rivero_rtp_session::{Digit, SendBounds, digits::event as digit_event};
use rivero_sdp::{MediaKind as SdpKind, OfferOptions};

use super::{Endpoint, Session, Shared, keys::Keys};
use crate::{
    api::{self, RtpEndpoint, RtpEndpointParams},
    shard,
};

impl RtpEndpoint for Endpoint {
    fn create(context: ElementContext, params: RtpEndpointParams) -> Result<Self> {
        let base: BaseRtpSettings = settings::of("BaseRtpEndpoint");
        let shards = shard::obtain()?;
        Ok(Self(Arc::new(Shared {
            keys: Keys::new(&params.crypto)?,
            v6: params.use_ipv6,
            settings: settings::of("RtpEndpoint"),
            shard: shards.assign()?,
            _shards: shards,
            properties: Mutex::new(Properties::new(&base)),
            negotiating: Mutex::default(),
            session: Mutex::new(Session::default()),
            states: Mutex::default(),
            failure: OnceLock::new(),
            video_fed: AtomicBool::new(false),
            context,
        })))
    }

    fn send_telephone_event(&self, digits: String, duration_ms: i32, gap_ms: i32) -> Result<()> {
        self.0.works()?;
        let (digits, gap) = Self::digits(&digits, duration_ms, gap_ms)?;
        let session = self.0.session();
        let negotiated = session.exchange.negotiated.as_ref();
        let audio = negotiated.and_then(|negotiated| negotiated.media_of(&SdpKind::Audio));
        let takes = audio.is_some_and(|audio| audio.media.send && !audio.sent_events.is_empty());
        let mut sections = session.sections.iter();
        let section = sections.find(|section| section.kind == MediaKind::Audio);
        let Some(section) = section.filter(|_| takes) else {
            return Err(Error::not_supported(
                "the peer takes no digits: its description has no telephone-event, or is on hold",
            ));
        };
        let id = self.0.context.id().to_owned();
        self.0.shard.with(section.token, move |link, now| {
            if !link.send_digits(now, &digits, gap) {
                tracing::warn!(
                    endpoint = id,
                    "too many digits wait to be sent: these are not"
                );
            }
        });
        Ok(())
    }
}

impl Endpoint {
    /// What a client asks to be sent.
    fn digits(text: &str, duration: i32, gap: i32) -> Result<(Vec<Digit>, Duration)> {
        let bounded = |name: &str, value: i32, least: i32| {
            let fits = (least..=5000).contains(&value);
            u32::try_from(value).ok().filter(|_| fits).ok_or_else(|| {
                Error::illegal_parameter(format!(
                    "{name} is {value}, but has to be {least} to 5000"
                ))
            })
        };
        let milliseconds = bounded("durationMs", duration, 40)?;
        let gap = bounded("gapMs", gap, 30)?;
        let digit = |character: char| {
            digit_event(character).map(|_| Digit {
                character,
                milliseconds,
            })
        };
        let digits: Option<Vec<Digit>> = text.chars().map(digit).collect();
        let digits = digits.filter(|digits| (1..=64).contains(&digits.len()));
        let digits = digits.ok_or_else(|| {
            Error::illegal_parameter("digits has to be 1 to 64 of 0-9, *, #, A-D")
        })?;
        Ok((digits, Duration::from_millis(u64::from(gap))))
    }
}

rivero_endpoint::bodies!(Endpoint, api);

impl Negotiates for Endpoint {
    fn offer(&self, options: OfferOptions) -> Result<String> {
        self.0.works()?;
        self.0.offer(options)
    }

    fn answer(&self, offer: &str) -> Result<String> {
        self.0.works()?;
        self.0.answer(offer)
    }

    fn accept(&self, answer: &str) -> Result<String> {
        self.0.works()?;
        self.0.accept(answer)
    }

    fn local_description(&self) -> Option<String> {
        let session = self.0.session();
        session.exchange.local.as_ref().map(ToString::to_string)
    }

    fn remote_description(&self) -> Option<String> {
        self.0.session().exchange.remote.clone()
    }

    fn properties(&self) -> impl DerefMut<Target = Properties> {
        self.0.properties()
    }

    fn send_bounds_changed(&self, bounds: SendBounds) {
        for section in &self.0.session().sections {
            self.0
                .shard
                .with(section.token, move |link, _| link.set_send_bounds(bounds));
        }
    }

    fn ask_for_keyframe(&self) -> Result<bool> {
        self.0.works()?;
        let session = self.0.session();
        let mut sections = session.sections.iter();
        let video =
            sections.find(|section| section.kind == MediaKind::Video && section.sink.is_some());
        let (Some(video), true) = (video, self.0.video_fed.load(Relaxed)) else {
            return Ok(false);
        };
        self.0.shard.with(video.token, |link, _| {
            link.ask_video_source(Upstream::KeyframeRequest)
        });
        Ok(true)
    }

    fn overall(&self) -> Overall {
        self.0.overall()
    }
}
