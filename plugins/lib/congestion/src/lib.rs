//! What the path to one peer carries: send-side congestion control (draft-ietf-rmcat-gcc-02)
//! from transport-wide feedback, without I/O: packets, feedback and [`Instant`]s go in, an
//! estimate, probes and the order of sending come out.
//!
//! - [`controller`]: the estimate of one path, from what the modules below find.
//! - [`history`]: what was sent and when; joins it with what the peer reports.
//! - [`trend`]: whether queues on the path grow.
//! - [`queue`]: whether a queue stands on the path, growing or not.
//! - [`throughput`]: the rate that arrives.
//! - [`rate`]: the estimate that follows from these, and from losses.
//! - [`probe`]: short faster bursts that find out whether the path carries more.
//! - [`pacer`]: bursts are spread where the path has shown a limit.
//! - [`start`]: what is assumed before anything has shown a limit.
//! - [`budget`]: how much may be retransmitted.
//! - [`receiver`]: what is made of the estimates of peers without such feedback.
//!
//! [`Instant`]: std::time::Instant

mod budget;
mod controller;
mod history;
mod pacer;
mod probe;
mod queue;
mod rate;
mod receiver;
mod start;
#[cfg(test)]
mod tests;
mod throughput;
mod trend;

pub use budget::RetransmissionBudget;
pub use controller::CongestionController;
pub use pacer::{PacedPacket, Pacer};
pub use receiver::ReceiverEstimate;
