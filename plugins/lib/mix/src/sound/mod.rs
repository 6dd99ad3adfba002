//! Sound in frames of 10 ms, two channels, 48,000 samples a second.

mod kernel;
pub(crate) mod limiter;
pub(crate) mod speaker;
pub(crate) mod voice;

/// Samples a second of a mix, which is what Opus has inside.
pub const SAMPLE_RATE: u32 = 48_000;
/// Samples of each channel in a frame.
pub const FRAME: usize = 480;
/// How long a frame is, ns.
pub const FRAME_NS: i64 = 10_000_000;

/// 10 ms of sound, left and right; 1.0 is full scale, and sums may go beyond.
pub type Frame = [[f32; 2]; FRAME];

/// Adds a frame to a sum.
pub fn add(sum: &mut Frame, frame: &Frame) {
    for (sum, sample) in sum.iter_mut().zip(frame) {
        sum[0] += sample[0];
        sum[1] += sample[1];
    }
}

/// Takes a frame out of a sum again.
pub fn subtract(sum: &mut Frame, frame: &Frame) {
    for (sum, sample) in sum.iter_mut().zip(frame) {
        sum[0] -= sample[0];
        sum[1] -= sample[1];
    }
}
