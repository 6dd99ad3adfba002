//! What a consumer is to get of a source, as one word that threads exchange as a whole.
//!
//! Several threads write it: the control side of the graph, the timer that looks at all estimates,
//! and the one on which the consumer's module says what it wishes or what its path carries. So each
//! change is a pure step on the whole, repeated where another thread was faster: nobody overwrites
//! what another has just wanted, and whoever pushes packets never sees half of a change.

use std::sync::atomic::{
    AtomicU64,
    Ordering::{AcqRel, Acquire},
};

use rivero_plugin_api::Encoding;

use crate::layers::{self, Budget, Choice};

/// What a consumer is to get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Order {
    /// Counts how often the link began to carry media: another number is another beginning.
    pub(crate) start: u32,
    /// The encoding; it is switched to at a keyframe.
    pub(crate) encoding: u8,
    /// The highest spatial layer.
    pub(crate) spatial: u8,
    /// The highest temporal layer: gone up to where the coding allows it, down to between frames.
    pub(crate) temporal: u8,
    /// The consumer chose its layers itself.
    pub(crate) wished: bool,
    /// The consumer cannot be told what was left out, and would take it for lost.
    pub(crate) whole: bool,
    /// Frames are left out where the path does not carry all of them.
    pub(crate) thins: bool,
}

impl Default for Order {
    fn default() -> Self {
        Self {
            start: 0,
            encoding: 0,
            spatial: u8::MAX,
            temporal: u8::MAX,
            wished: false,
            whole: false,
            thins: false,
        }
    }
}

/// The steps.
impl Order {
    /// The link begins to carry media. 0 is the number of a cursor that has not begun yet, so no
    /// beginning has it.
    pub(crate) fn begin(&mut self) {
        self.start = self.start.wrapping_add(1).max(1);
    }

    /// The link ends to carry media. What feeds it next has other layers and other paths, so
    /// neither the consumer's choice nor the need to leave frames out means anything there.
    pub(crate) fn end(&mut self) {
        (self.wished, self.thins) = (false, false);
    }

    /// The consumer wants these layers.
    pub(crate) fn wish(&mut self, encoding: u8, spatial: u8, temporal: u8) {
        (self.encoding, self.spatial, self.temporal) = (encoding, spatial, temporal);
        self.wished = true;
    }

    /// Another source feeds the consumer: what it wished of the former one means nothing.
    pub(crate) fn reset_layers(&mut self) {
        self.wish(0, u8::MAX, u8::MAX);
        self.wished = false;
    }

    /// Takes the best of `encodings` that a path with this budget carries, unless the consumer
    /// chose itself.
    pub(crate) fn choose(&mut self, encodings: &[Encoding], budget: impl Into<Budget>) {
        if self.wished {
            return;
        }
        let (present, budget) = (self.choice(), budget.into());
        let assumed = budget.assumed(encodings);
        let choice = if self.whole || assumed.is_some() {
            let estimate = assumed.unwrap_or(budget.estimate);
            layers::choose(&without_layers(encodings), estimate, present)
        } else {
            layers::choose(encodings, budget.estimate, present)
        };
        if let Some(choice) = choice {
            (self.encoding, self.temporal) = (choice.encoding, choice.temporal);
        }
    }

    /// The encoding and the highest temporal layer.
    pub(crate) fn choice(self) -> Choice {
        Choice {
            encoding: self.encoding,
            temporal: self.temporal,
        }
    }

    pub(crate) fn is_for_all_layers(self) -> bool {
        self.temporal == u8::MAX && self.spatial == u8::MAX
    }

    fn to_word(self) -> u64 {
        let flags = [self.wished, self.whole, self.thins];
        let flags = (0u8..).zip(flags);
        let flags = flags.fold(0, |word, (bit, flag)| word | u8::from(flag) << bit);
        let [a, b, c, d] = self.start.to_be_bytes();
        let layers = [self.encoding, self.spatial, self.temporal, flags];
        let [e, f, g, h] = layers;
        u64::from_be_bytes([a, b, c, d, e, f, g, h])
    }

    fn from_word(word: u64) -> Self {
        let [a, b, c, d, encoding, spatial, temporal, flags] = word.to_be_bytes();
        Self {
            start: u32::from_be_bytes([a, b, c, d]),
            encoding,
            spatial,
            temporal,
            wished: flags & 1 != 0,
            whole: flags & 2 != 0,
            thins: flags & 4 != 0,
        }
    }
}

/// The same, with nothing to choose within one of them.
fn without_layers(encodings: &[Encoding]) -> Vec<Encoding> {
    let whole = |encoding: &Encoding| Encoding {
        temporal_layers: 1,
        ..encoding.clone()
    };
    encodings.iter().map(whole).collect()
}

/// An [`Order`] that several threads change.
pub(crate) struct SharedOrder(AtomicU64);

impl Default for SharedOrder {
    fn default() -> Self {
        Self(AtomicU64::new(Order::default().to_word()))
    }
}

impl SharedOrder {
    // The word stands for itself. That a producer does not read an order older than the start with
    // which its consumer was entered follows from the snapshot of consumers, which is published
    // after the step; and that a former producer does not read one older than its successor has
    // followed, from the lock of the cursor, which both take before. So relaxed accesses would be
    // enough. Acquire and release cost next to nothing beside the lock, and nobody who publishes
    // something else with an order later has to know all of this.
    pub(crate) fn get(&self) -> Order {
        Order::from_word(self.0.load(Acquire))
    }

    /// Takes a step; gives the former and the new order. The step may be taken more than once, so
    /// it does nothing but change the order.
    pub(crate) fn change(&self, step: impl Fn(&mut Order)) -> (Order, Order) {
        let mut word = self.0.load(Acquire);
        loop {
            let former = Order::from_word(word);
            let mut order = former;
            step(&mut order);
            let exchanged = self
                .0
                .compare_exchange_weak(word, order.to_word(), AcqRel, Acquire);
            match exchanged {
                Ok(_) => return (former, order),
                Err(latest) => word = latest,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn simulcast() -> [Encoding; 2] {
        [150_000, 900_000].map(|bitrate| Encoding {
            bitrate,
            temporal_layers: 3,
            ..Encoding::default()
        })
    }

    #[test]
    fn an_order_is_one_word() {
        let order = Order {
            start: 0xfedc_ba98,
            encoding: 3,
            spatial: 7,
            temporal: 200,
            wished: true,
            whole: false,
            thins: true,
        };
        let mut begun = Order::default();
        begun.begin();
        for order in [order, Order::default(), begun] {
            assert_eq!(Order::from_word(order.to_word()), order);
        }
    }

    #[test]
    fn no_beginning_has_the_number_of_what_never_began() {
        let mut order = Order {
            start: u32::MAX,
            ..Order::default()
        };
        order.begin();
        assert_eq!(order.start, 1);
    }

    #[test]
    fn who_chooses_its_layers_keeps_them_until_the_link_ends() {
        let mut order = Order::default();
        order.wish(0, 1, 2);
        order.choose(&simulcast(), u64::MAX);
        assert_eq!((order.encoding, order.spatial, order.temporal), (0, 1, 2));
        order.end();
        order.choose(&simulcast(), u64::MAX);
        assert_eq!((order.encoding, order.temporal), (1, u8::MAX));
        order.wish(0, 1, 2);
        order.reset_layers();
        assert_eq!(order, Order::default());
    }

    #[test]
    fn an_assumption_chooses_an_encoding_until_there_is_an_estimate() {
        let mut order = Order::default();
        let assumed = Budget {
            estimate: u64::MAX,
            start: 100_000,
        };
        order.choose(&simulcast(), assumed);
        assert_eq!((order.encoding, order.temporal), (0, u8::MAX));
        let proven = Budget {
            start: 2_000_000,
            ..assumed
        };
        order.choose(&simulcast(), proven);
        assert_eq!((order.encoding, order.temporal), (1, u8::MAX));
        let known = Budget {
            estimate: 100_000,
            ..proven
        };
        order.choose(&simulcast(), known);
        assert_eq!((order.encoding, order.temporal), (0, 1));
        let mut single = Order::default();
        single.choose(&simulcast()[..1], assumed);
        assert_eq!(single.choice(), Choice::default(), "nothing to choose");
    }

    #[test]
    fn encodings_as_a_whole_or_not_at_all() {
        let mut layered = Order::default();
        layered.choose(&simulcast(), 100_000);
        assert_eq!((layered.encoding, layered.temporal), (0, 1));
        let mut whole = Order {
            whole: true,
            ..Order::default()
        };
        whole.choose(&simulcast(), 100_000);
        assert_eq!((whole.encoding, whole.temporal), (0, u8::MAX));
    }

    #[test]
    fn steps_of_many_threads_are_all_kept() {
        const ROUNDS: u32 = 20_000;
        let order = SharedOrder::default();
        std::thread::scope(|scope| {
            let many = |step: fn(&mut Order)| {
                for _ in 0..ROUNDS {
                    order.change(step);
                }
            };
            scope.spawn(move || many(|order| order.wish(3, 1, 2)));
            scope.spawn(move || many(|order| order.whole = true));
            many(Order::begin);
        });
        let order = order.get();
        assert_eq!((order.start, order.encoding), (ROUNDS, 3));
        assert!(order.whole && order.wished && !order.thins);
    }
}
