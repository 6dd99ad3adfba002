//! What the viewers receive within a window.

use std::time::Duration;

use crate::traffic::Stamp;

/// Latencies of all viewers, and which packets count.
#[derive(Debug)]
pub(crate) struct Window {
    /// Indices of the packets that count.
    indices: std::ops::Range<u64>,
    /// Milliseconds from the publisher's send call to the viewer.
    latencies: Vec<f64>,
}

impl Window {
    /// A window in which nothing counts.
    pub(crate) fn closed() -> Self {
        Self {
            indices: 0..0,
            latencies: Vec::new(),
        }
    }

    /// Counts packets from index `first` on.
    pub(crate) fn open(&mut self, first: u64) {
        self.indices = first..u64::MAX;
        self.latencies.clear();
    }

    /// Counts packets before index `end`, including those that are still on their way.
    pub(crate) fn close(&mut self, end: u64) {
        self.indices.end = end;
    }

    /// Packets that were sent.
    pub(crate) fn sent(&self) -> u64 {
        self.indices.end.saturating_sub(self.indices.start)
    }

    /// Hands over the latencies.
    pub(crate) fn take_latencies(&mut self) -> Vec<f64> {
        std::mem::take(&mut self.latencies)
    }
}

/// What one viewer received.
#[derive(Debug, Default)]
pub(crate) struct Reception {
    /// Packets of the window.
    counted: u64,
    /// The index after the last packet's.
    next: u64,
    /// Packets that came again or too late; there should be none on loopback.
    repeated: u64,
}

impl Reception {
    /// A packet with this stamp arrived at `now`, in ns since the load began.
    pub(crate) fn arrived(&mut self, stamp: Stamp, now: u64, window: &mut Window) {
        if stamp.index < self.next {
            self.repeated += 1;
            return;
        }
        self.next = stamp.index + 1;
        if window.indices.contains(&stamp.index) {
            self.counted += 1;
            let latency = Duration::from_nanos(now.saturating_sub(stamp.sent));
            window.latencies.push(latency.as_secs_f64() * 1e3);
        }
    }

    /// Forgets what was counted in an earlier window.
    pub(crate) fn restart(&mut self) {
        (self.counted, self.repeated) = (0, 0);
    }

    /// Packets of the window that arrived.
    pub(crate) fn counted(&self) -> u64 {
        self.counted
    }

    /// Packets that arrived again or too late.
    pub(crate) fn repeated(&self) -> u64 {
        self.repeated
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_packet_of_the_window_counts_once() {
        let (mut window, mut reception) = (Window::closed(), Reception::default());
        let mut arrive = |index, window: &mut Window| {
            let stamp = Stamp {
                sent: 1_000_000,
                index,
            };
            reception.arrived(stamp, 3_000_000, window);
        };
        arrive(0, &mut window);
        window.open(1);
        for index in [1, 2, 2, 4] {
            arrive(index, &mut window);
        }
        window.close(4);
        assert_eq!(window.sent(), 3);
        assert_eq!((reception.counted(), reception.repeated()), (3, 1));
        assert_eq!(window.take_latencies(), [2.0, 2.0, 2.0]);
    }
}
