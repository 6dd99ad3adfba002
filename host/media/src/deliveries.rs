//! What modules and listeners are told of a graph, in order, by one thread at a time.
//!
//! A change of the graph queues what came of it while it has the graph's lock, so that the order of
//! deliveries is the order of changes. It is delivered after that lock was let go: a module may call
//! back into the graph from within, and what it does then must not keep all others out.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use rivero_plugin_api::supervise;

use crate::sink::Sink;

/// Something to tell.
pub(crate) type Delivery = Box<dyn FnOnce() + Send>;

/// All that is still to be told.
///
/// *Lock order:* the graph's lock, then this one, then that of a sink's format. This one is taken
/// under the graph's, so that two changes queue in the order in which they were made; were the
/// graph's also taken under this one, the two could wait for each other for ever.
#[derive(Default)]
pub(crate) struct Deliveries(Mutex<Queue>);

#[derive(Default)]
struct Queue {
    events: VecDeque<Delivery>,
    /// Whose modules to notify of their formats before anything else; the last one first.
    formats: Vec<Arc<Sink>>,
    /// A thread delivers.
    running: bool,
}

impl Deliveries {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues what came of one change; called while the graph is locked.
    pub(crate) fn add(&self, events: Vec<Delivery>, formats: Vec<Arc<Sink>>) {
        let mut queue = self.queue();
        queue.events.extend(events);
        queue.formats.extend(formats.into_iter().rev());
    }

    /// Delivers until nothing is left, unless another thread does already, or this one further up
    /// its stack: that will deliver the rest, too, in order. Called while the graph is not locked.
    pub(crate) fn run(&self) {
        if std::mem::replace(&mut self.queue().running, true) {
            return;
        }
        loop {
            let mut queue = self.queue();
            let Some(delivery) = queue.next() else {
                // Under the same lock as the look that found nothing: whatever is queued later
                // finds nobody running, and runs itself.
                queue.running = false;
                return;
            };
            drop(queue);
            // One that panics must not keep the others from being delivered for ever.
            supervise::contained("a delivery of the media graph", delivery);
        }
    }
}

impl Queue {
    fn next(&mut self) -> Option<Delivery> {
        self.next_format().or_else(|| self.events.pop_front())
    }

    /// What a format brings about comes before all others: it runs through everything that hands
    /// it on at once. So in a ring of such elements it meets itself and ends. Delivered by turns, two
    /// formats would follow each other round for ever.
    fn next_format(&mut self) -> Option<Delivery> {
        let sink = self.formats.pop()?;
        let Some(format) = sink.next_notice() else {
            // Dropping the last of it runs module code: not under the lock.
            return Some(Box::new(move || drop(sink)));
        };
        self.formats.push(sink.clone());
        Some(Box::new(move || sink.consumer().handler().format(format)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_delivery_brings_about_comes_after_what_waits() {
        let deliveries = Arc::new(Deliveries::default());
        let told = Arc::new(Mutex::new(Vec::new()));
        let tell = |number: u32| -> Delivery {
            let told = told.clone();
            Box::new(move || told.lock().unwrap().push(number))
        };
        let (inner, further) = (deliveries.clone(), tell(3));
        let first: Delivery = Box::new(move || {
            inner.add(vec![further], Vec::new());
            // This thread delivers already: it returns at once.
            inner.run();
        });
        let broken: Delivery = Box::new(|| panic!("on purpose"));
        deliveries.add(vec![tell(1), first, broken, tell(2)], Vec::new());
        deliveries.run();
        assert_eq!(*told.lock().unwrap(), [1, 2, 3]);
        deliveries.add(vec![tell(4)], Vec::new());
        deliveries.run();
        assert_eq!(told.lock().unwrap().last(), Some(&4));
    }
}
