//! What the elements of a pipeline report.

use gstreamer as gst;
use gstreamer::prelude::*;
use rivero_plugin_api::supervise::contained;

use crate::StreamError;

/// A message that matters to the owner of a pipeline.
#[derive(Debug)]
#[non_exhaustive]
pub enum Report {
    /// An element failed; nothing more flows through it.
    Error(StreamError),
    /// An element has trouble and goes on.
    Warning(StreamError),
    /// All sinks are at the end.
    EndOfStream,
    /// A change of state of the whole pipeline or a seek is complete.
    AsyncDone,
    /// The whole pipeline has this state now.
    State(gst::State),
    /// A network source has filled this much of its buffer, percent.
    Buffering(i32),
    /// An element has changed how much it delays: the pipeline's latency is to be computed anew.
    Latency,
    /// The duration of the media is another than before.
    DurationChanged,
    /// The clock of the pipeline went away: it must be paused and played to get another.
    ClockLost,
    /// An element asks for a state change of the whole pipeline.
    StateRequest(gst::State),
    /// A message of an element's own.
    Element(gst::Message),
}

/// Calls `handler` for every report, on the thread that posted it.
///
/// That may be one of the streaming threads: the handler must not change the pipeline's state, and
/// must not block. A bus takes one handler in its life.
pub fn watch(
    pipeline: &gst::Pipeline,
    handler: impl Fn(Report) + Send + Sync + 'static,
) -> Option<()> {
    let bus = pipeline.bus()?;
    let whole = pipeline.downgrade();
    bus.set_sync_handler(move |_, message| {
        let of_whole = || {
            let whole = whole.upgrade();
            whole.is_some_and(|whole| message.src() == Some(whole.upcast_ref()))
        };
        if let Some(report) = report(message, of_whole) {
            contained("the bus of a pipeline", || handler(report));
        }
        // Nobody reads the queue of the bus.
        gst::BusSyncReply::Drop
    });
    Some(())
}

fn report(message: &gst::Message, of_whole: impl Fn() -> bool) -> Option<Report> {
    use gst::MessageView;
    let failure = |error: &gst::glib::Error, debug: Option<gst::glib::GString>| {
        StreamError::new(error, message.src(), debug.map(|debug| debug.to_string()))
    };
    Some(match message.view() {
        MessageView::Error(error) => Report::Error(failure(&error.error(), error.debug())),
        MessageView::Warning(warning) => {
            Report::Warning(failure(&warning.error(), warning.debug()))
        }
        MessageView::Eos(_) => Report::EndOfStream,
        MessageView::AsyncDone(_) => Report::AsyncDone,
        MessageView::StateChanged(change) if of_whole() => Report::State(change.current()),
        MessageView::Buffering(buffering) => Report::Buffering(buffering.percent()),
        MessageView::Latency(_) => Report::Latency,
        MessageView::DurationChanged(_) => Report::DurationChanged,
        MessageView::ClockLost(_) => Report::ClockLost,
        MessageView::RequestState(request) => Report::StateRequest(request.requested_state()),
        MessageView::Element(_) => Report::Element(message.clone()),
        _ => return None,
    })
}
