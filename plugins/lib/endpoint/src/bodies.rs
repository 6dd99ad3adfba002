//! The operations and properties of the classes, for the traits that a module generates.

use std::ops::DerefMut;

use rivero_plugin_api::Result;
use rivero_rtp_session::SendBounds;
use rivero_sdp::OfferOptions;

use crate::{Overall, Properties};

/// What [`bodies!`](crate::bodies) asks an endpoint for.
pub trait Negotiates {
    /// Makes an offer.
    ///
    /// # Errors
    /// 40208 where there is nothing to offer any more, and the module's.
    fn offer(&self, options: OfferOptions) -> Result<String>;

    /// Answers an offer.
    ///
    /// # Errors
    /// 40201 for what is no description, 40208 for what was said before, and the module's.
    fn answer(&self, offer: &str) -> Result<String>;

    /// Takes the answer to our offer; gives the resulting local description.
    ///
    /// # Errors
    /// 40201, 40209 and 40210, and the module's.
    fn accept(&self, answer: &str) -> Result<String>;

    /// The present local description.
    fn local_description(&self) -> Option<String>;

    /// The peer's description, as the client gave it.
    fn remote_description(&self) -> Option<String>;

    /// The properties, locked.
    fn properties(&self) -> impl DerefMut<Target = Properties>;

    /// The bounds of what viewers may ask of the source have changed: at once and for later transports.
    fn send_bounds_changed(&self, bounds: SendBounds);

    /// Asks what feeds the video that is sent for a keyframe; `false` where nothing does.
    ///
    /// # Errors
    /// The module's.
    fn ask_for_keyframe(&self) -> Result<bool>;

    /// The states of all transports together.
    fn overall(&self) -> Overall;
}

/// Implements `SessionEndpoint`, `SdpEndpoint` and `BaseRtpEndpoint` of the module `$api`, which `kmd` has
/// generated, for an endpoint that [`Negotiates`]; and `tell_overall`, which raises the events of the states.
#[macro_export]
macro_rules! bodies {
    ($endpoint:ty, $api:ident) => {
        impl $api::SessionEndpoint for $endpoint {}

        impl $api::SdpEndpoint for $endpoint {
            fn generate_offer(
                &self,
                options: Option<$api::OfferOptions>,
            ) -> $crate::reexported::Result<String> {
                let wanted = |choice: fn(&$api::OfferOptions) -> Option<bool>| {
                    options.as_ref().and_then(choice).unwrap_or(true)
                };
                let options = $crate::reexported::OfferOptions {
                    audio: wanted(|options| options.offer_to_receive_audio),
                    video: wanted(|options| options.offer_to_receive_video),
                };
                $crate::Negotiates::offer(self, options)
            }

            fn process_offer(&self, offer: String) -> $crate::reexported::Result<String> {
                $crate::Negotiates::answer(self, &offer)
            }

            fn process_answer(&self, answer: String) -> $crate::reexported::Result<String> {
                $crate::Negotiates::accept(self, &answer)
            }

            fn get_local_session_descriptor(&self) -> $crate::reexported::Result<String> {
                $crate::Negotiates::local_description(self)
                    .ok_or_else($crate::error::no_local_description)
            }

            fn get_remote_session_descriptor(&self) -> $crate::reexported::Result<String> {
                $crate::Negotiates::remote_description(self)
                    .ok_or_else($crate::error::no_remote_description)
            }

            $crate::number_property!(
                max_audio_recv_bandwidth,
                set_max_audio_recv_bandwidth,
                "maxAudioRecvBandwidth"
            );
            $crate::number_property!(
                max_video_recv_bandwidth,
                set_max_video_recv_bandwidth,
                "maxVideoRecvBandwidth"
            );
        }

        impl $api::BaseRtpEndpoint for $endpoint {
            fn request_keyframe(&self) -> $crate::reexported::Result<()> {
                match $crate::Negotiates::ask_for_keyframe(self)? {
                    true => Ok(()),
                    false => Err($crate::error::no_source_of_keyframes()),
                }
            }

            $crate::number_property!(
                min_video_recv_bandwidth,
                set_min_video_recv_bandwidth,
                "minVideoRecvBandwidth"
            );
            $crate::number_property!(
                min_video_send_bandwidth,
                set_min_video_send_bandwidth,
                "minVideoSendBandwidth",
                bounds
            );
            $crate::number_property!(
                max_video_send_bandwidth,
                set_max_video_send_bandwidth,
                "maxVideoSendBandwidth",
                bounds
            );
            $crate::number_property!(mtu, set_mtu, "mtu");

            fn media_state(&self) -> $crate::reexported::Result<$api::MediaState> {
                Ok(media_state($crate::Negotiates::overall(self).media))
            }

            fn connection_state(&self) -> $crate::reexported::Result<$api::ConnectionState> {
                Ok(connection_state(
                    $crate::Negotiates::overall(self).connected,
                ))
            }

            fn remb_params(&self) -> $crate::reexported::Result<$api::RembParams> {
                let set = $crate::Negotiates::properties(self).remb.clone();
                Ok($api::RembParams {
                    packets_recv_interval_top: set.packets_recv_interval_top,
                    exponential_factor: set.exponential_factor,
                    lineal_factor_min: set.lineal_factor_min,
                    lineal_factor_grade: set.lineal_factor_grade,
                    decrement_factor: set.decrement_factor,
                    threshold_factor: set.threshold_factor,
                    up_losses: set.up_losses,
                    remb_on_connect: set.remb_on_connect,
                })
            }

            fn set_remb_params(&self, set: $api::RembParams) -> $crate::reexported::Result<()> {
                $crate::Negotiates::properties(self).remb = $crate::RembParams {
                    packets_recv_interval_top: set.packets_recv_interval_top,
                    exponential_factor: set.exponential_factor,
                    // The one without a default in the descriptor; clients of Kurento read all of
                    // them back.
                    lineal_factor_min: set.lineal_factor_min.or(Some(50)),
                    lineal_factor_grade: set.lineal_factor_grade,
                    decrement_factor: set.decrement_factor,
                    threshold_factor: set.threshold_factor,
                    up_losses: set.up_losses,
                    remb_on_connect: set.remb_on_connect,
                };
                Ok(())
            }
        }

        fn connection_state(connected: bool) -> $api::ConnectionState {
            match connected {
                true => $api::ConnectionState::Connected,
                false => $api::ConnectionState::Disconnected,
            }
        }

        fn media_state(active: bool) -> $api::MediaState {
            match active {
                true => $api::MediaState::Connected,
                false => $api::MediaState::Disconnected,
            }
        }

        /// Raises the events of the states that have changed.
        pub(crate) fn tell_overall(
            context: &$crate::reexported::ElementContext,
            before: $crate::Overall,
            after: $crate::Overall,
        ) {
            use $api::BaseRtpEndpointEvents;
            if before.connected != after.connected {
                let (old, new) = (before.connected, after.connected);
                context.connection_state_changed(connection_state(old), connection_state(new));
            }
            if before.media != after.media {
                context.media_state_changed(media_state(before.media), media_state(after.media));
            }
        }
    };
}

/// A property with a number that is not negative: its getter and its setter.
#[doc(hidden)]
#[macro_export]
macro_rules! number_property {
    ($name:ident, $set:ident, $shown:literal) => {
        fn $name(&self) -> $crate::reexported::Result<i32> {
            Ok($crate::Negotiates::properties(self).$name)
        }

        fn $set(&self, $name: i32) -> $crate::reexported::Result<()> {
            let value = $crate::properties::not_negative($shown, $name)?;
            $crate::Negotiates::properties(self).$name = value;
            Ok(())
        }
    };
    // One of the bounds of what is asked of the source.
    ($name:ident, $set:ident, $shown:literal, bounds) => {
        fn $name(&self) -> $crate::reexported::Result<i32> {
            Ok($crate::Negotiates::properties(self).$name)
        }

        fn $set(&self, $name: i32) -> $crate::reexported::Result<()> {
            let value = $crate::properties::not_negative($shown, $name)?;
            let bounds = {
                let mut properties = $crate::Negotiates::properties(self);
                properties.$name = value;
                properties.send_bandwidth_is_set = true;
                properties.send_bounds()
            };
            $crate::Negotiates::send_bounds_changed(self, bounds);
            Ok(())
        }
    };
}
