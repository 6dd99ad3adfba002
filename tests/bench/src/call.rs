//! A call on a server that somebody else has started: what it loses until it is told to end.

use std::{
    io::Read,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use serde::Serialize;
use serde_json::json;

use crate::{
    error::Error,
    generator::Generator,
    options::{Call, Options},
};

/// Media before the count begins, and after it ends, so that nothing is under way.
const SETTLE: Duration = Duration::from_secs(1);
/// How often the end of the standard input is looked for.
const TICK: Duration = Duration::from_millis(50);

/// What the viewers got.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Counted {
    /// Packets of media that the publisher sent.
    sent: u64,
    /// Packets that viewers lacked, all together.
    lost: u64,
}

/// Calls, says `{"running":true}` on a line, and counts until the standard input ends.
pub(crate) fn measure(options: &Options, call: &Call) -> Result<Counted, Error> {
    let viewers = u64::from(call.viewers);
    let mut generator = Generator::new(call.server, call.viewers as usize, options.traffic())?;
    generator.start_publishing()?;
    generator.prepare_viewers()?;
    generator.join_viewers(Duration::from_millis(10))?;
    generator.run_for(SETTLE)?;
    generator.open_window();
    println!("{}", json!({"running": true}));
    let ended = end_of_input();
    while !ended.load(Ordering::Relaxed) {
        generator.run_for(TICK)?;
    }
    generator.close_window();
    generator.run_for(SETTLE)?;
    let (sent, received, _) = generator.counted();
    generator.release()?;
    Ok(Counted {
        sent,
        lost: (sent * viewers).saturating_sub(received),
    })
}

/// Becomes true when whoever started this closes its side.
fn end_of_input() -> Arc<AtomicBool> {
    let ended = Arc::new(AtomicBool::new(false));
    let seen = ended.clone();
    std::thread::spawn(move || {
        let mut rest = Vec::new();
        // An input that cannot be read has ended, too.
        drop(std::io::stdin().read_to_end(&mut rest));
        seen.store(true, Ordering::Relaxed);
    });
    ended
}
