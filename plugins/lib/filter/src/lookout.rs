//! Pictures of one filter that a crew looks at.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use crate::Crew;

/// Lets a crew look at a filter's pictures, one at a time. While it does, those that come are left out,
/// so that looking takes as much time as there is and what waits has a bound.
#[derive(Debug, Default)]
pub struct Lookout {
    is_looking: Arc<AtomicBool>,
}

/// Until this is dropped, also where a look panics or the crew ends before it.
struct Busy(Arc<AtomicBool>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

impl Lookout {
    /// Has the crew run what `look` makes, unless it is still busy with what it got before.
    pub fn look<D, L>(&self, crew: &Crew<D>, look: impl FnOnce() -> L)
    where
        D: Send + 'static,
        L: FnOnce(&mut D) + Send + 'static,
    {
        if self.is_looking.swap(true, Ordering::AcqRel) {
            return;
        }
        let (busy, look) = (Busy(self.is_looking.clone()), look());
        crew.add(move |with| {
            let _busy = busy;
            look(with);
        });
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Mutex, Weak, mpsc};

    use super::*;

    fn crew() -> Arc<Crew<()>> {
        static PLACE: Mutex<Weak<Crew<()>>> = Mutex::new(Weak::new());
        Crew::join(&PLACE, "lookout", || Ok(())).unwrap()
    }

    #[test]
    fn what_comes_while_a_picture_is_looked_at_is_left_out() {
        let (crew, lookout) = (crew(), Lookout::default());
        let (go, may_go) = mpsc::channel::<()>();
        let (done, is_done) = mpsc::channel();
        lookout.look(&crew, || move |(): &mut ()| may_go.recv().unwrap());
        lookout.look(&crew, || |(): &mut ()| panic!("not looked at"));
        go.send(()).unwrap();
        // The first look ends at some moment; then there is another one.
        while is_done.try_recv().is_err() {
            let done = done.clone();
            lookout.look(&crew, || move |(): &mut ()| done.send(()).unwrap());
            std::thread::yield_now();
        }
    }

    #[test]
    fn a_look_that_panics_is_over() {
        let (crew, lookout) = (crew(), Lookout::default());
        lookout.look(&crew, || |(): &mut ()| panic!("on purpose"));
        while lookout.is_looking.load(Ordering::Acquire) {
            std::thread::yield_now();
        }
    }
}
