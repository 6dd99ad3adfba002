//! Hubs: media of any number of ports meets.
//!
//! `switch` hands media on as it comes, and is all that dispatchers are made of. `sound` and `picture` mix
//! what the host has decoded, on the threads of `clock`; `messages` gives data to everybody. How both are done
//! without clocks and threads is `plugins/lib/mix`.

mod alpha_blending;
mod clock;
mod common;
mod composite;
mod dispatcher;
mod ends;
mod lag;
mod messages;
mod mixed;
mod mixer;
mod one_to_many;
mod picture;
mod settings;
mod sound;
mod switch;

mod api {
    include!(concat!(env!("OUT_DIR"), "/api.rs"));
}

rivero_plugin_api::export_module! {
    classes: [
        api::alpha_blending::<alpha_blending::AlphaBlending>(),
        api::composite::<composite::Composite>(),
        api::dispatcher::<dispatcher::Dispatcher>(),
        api::dispatcher_one_to_many::<one_to_many::DispatcherOneToMany>(),
        api::mixer::<mixer::Mixer>(),
    ]
}
