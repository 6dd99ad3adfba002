//! A timer's action behind its ABI object.

use std::sync::{Mutex, PoisonError};

use abi_stable::{sabi_trait::TD_Opaque, std_types::RBox};

use super::{
    guard::{self, Contained},
    traits::{self, AbiTimer, AbiTimer_TO},
};

/// A timer's action as the host calls it, at most once. `on_panic` is told of a panic in it: who
/// starts the timer knows whose it is.
pub fn timer(
    action: impl FnOnce() + Send + 'static,
    on_panic: impl Fn(&str) + Send + 'static,
) -> traits::Timer {
    struct Adapter<F, P>(Mutex<Option<Contained<F>>>, P);
    impl<F: FnOnce() + Send, P: Fn(&str) + Send> AbiTimer for Adapter<F, P> {
        fn fire(&self) {
            let action = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
            let Some(action) = action.and_then(Contained::into_inner) else {
                return;
            };
            if let Err(message) = guard::contain(action) {
                (self.1)(&message);
            }
        }
    }
    let adapter = Adapter(Mutex::new(Some(Contained::new(action))), on_panic);
    AbiTimer_TO::from_ptr(RBox::new(adapter), TD_Opaque)
}
