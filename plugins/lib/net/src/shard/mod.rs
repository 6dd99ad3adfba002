//! Shards: threads with their sockets, and the sessions that they alone touch.

mod coalescing;
mod group;
mod load;
mod places;
mod pulse;

pub use coalescing::{Coalescing, QueueState};
pub use group::{BurstQueue, ShardGroup, Waiting};
pub use load::Load;
pub use places::Places;
pub use pulse::Pulse;
