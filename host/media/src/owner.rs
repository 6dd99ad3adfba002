//! Whom pads belong to, as far as the media plane calls it.
//!
//! The code of a module runs on threads of that module, so that one which does not return keeps nobody else
//! from going on. What the plane has to tell a pad is a [`Job`] for its owner. Pads without an owner
//! are the plane's own, those of conversions: they note what they are told, and are called at once.

/// A call of a module, and what comes after it.
pub type Job = Box<dyn FnOnce() + Send>;

/// The element, or the port of a hub, that a module opened pads for.
pub trait Owner: Send + Sync {
    /// Runs `job` on a thread of the module. Jobs may overlap, and a later one may be done earlier.
    ///
    /// When the module does not return from it in time, `overdue` is run, once, on some other thread; the
    /// job goes on when it returns after all. Where the module has no thread left, both are dropped.
    fn run(&self, job: Job, overdue: Option<Job>);

    /// Whether a call of the owner does not return: then nothing is given to its pads.
    fn is_cut(&self) -> bool;

    /// Whether sink pads take packets on the producer's thread, in no time.
    fn is_inline(&self) -> bool;

    /// So many packets were lost because the owner did not take them fast enough.
    fn on_lost(&self, packets: u64);
}
