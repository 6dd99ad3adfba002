//! The operations of the class, as the descriptor has them.

use std::{
    ops::DerefMut,
    sync::{Arc, Mutex, OnceLock, atomic::AtomicBool, atomic::Ordering::Relaxed},
};

use rivero_endpoint::{
    Negotiates, Overall, Properties,
    settings::{self, BaseRtpSettings},
};
use rivero_plugin_api::{ElementContext, MediaKind, Result, Upstream};
use rivero_rtp_session::SendBounds;
use rivero_sdp::OfferOptions;

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
