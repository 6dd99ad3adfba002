//! Answers that are given after the call has returned.

use std::{cell::RefCell, mem::ManuallyDrop};

use abi_stable::std_types::RString;
use serde_json::Value;

use crate::{
    Result,
    abi::{module, traits::Responder},
};

thread_local! {
    /// That of the call that runs on this thread, until somebody takes it. Whoever puts one in takes
    /// it out again, so nothing is left to be dropped at the thread's end: a destructor would keep
    /// the library mapped until then, however long the host's thread lives.
    static CURRENT: RefCell<ManuallyDrop<Option<Responder>>> =
        const { RefCell::new(ManuallyDrop::new(None)) };
}

/// Puts an answer in, and gives the one that was there.
fn replace(responder: Option<Responder>) -> Option<Responder> {
    ManuallyDrop::into_inner(CURRENT.replace(ManuallyDrop::new(responder)))
}

/// The answer to one call of the host, to be sent whenever it is known, from any thread.
///
/// A call that waits for a disk or another server would keep a thread of the host, of which
/// there are only so many for all objects of all clients. It takes its answer instead and
/// returns. The object's next call begins when the answer is sent. One that is dropped without
/// being sent is an error (40003) for whoever called.
#[must_use = "whoever called waits for it"]
pub struct Answer(Option<Responder>);

impl Answer {
    /// That of the method, or of [`Element::released`](crate::Element::released), that runs on
    /// this thread; what it returns then counts for nothing. Where the host has called nothing,
    /// as in unit tests, the answer goes nowhere.
    pub fn take() -> Self {
        Self(replace(None))
    }

    /// Answers the call with the value of the operation: `Value::Null` where it has none.
    pub fn send(self, result: Result<Value>) {
        if let Some(responder) = self.0 {
            let text = result.map(|value| RString::from(value.to_string()));
            responder.reply(module::result(text));
        }
    }

    /// Runs a call that `responder` answers with what it returns, unless it takes the answer.
    pub(crate) fn during(responder: Responder, call: impl FnOnce() -> Result<Value>) {
        // A call may lead to another one on the same thread, through the host.
        let outer = replace(Some(responder));
        let result = call();
        Self(replace(outer)).send(result);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Sender, channel};

    use abi_stable::{
        sabi_trait::TD_Opaque,
        std_types::{RBox, RResult},
    };

    use super::*;
    use crate::abi::{
        traits::{AbiResponder, AbiResponder_TO},
        types::AbiError,
    };

    struct Told(Sender<String>);

    impl AbiResponder for Told {
        fn reply(&self, result: RResult<RString, AbiError>) {
            let text = match result {
                RResult::ROk(text) => text,
                RResult::RErr(error) => error.message,
            };
            self.0.send(text.into_string()).unwrap();
        }
    }

    fn responder(sender: &Sender<String>) -> Responder {
        AbiResponder_TO::from_ptr(RBox::new(Told(sender.clone())), TD_Opaque)
    }

    #[test]
    fn what_a_call_returns_is_its_answer() {
        let (sender, answers) = channel();
        Answer::during(responder(&sender), || Ok(Value::from(7)));
        assert_eq!(answers.try_recv().unwrap(), "7");
    }

    #[test]
    fn an_answer_that_was_taken_is_sent_later_and_by_another_thread() {
        let (sender, answers) = channel();
        let mut taken = None;
        Answer::during(responder(&sender), || {
            taken = Some(Answer::take());
            Ok(Value::from("nothing"))
        });
        assert!(answers.try_recv().is_err());
        let taken = taken.unwrap();
        std::thread::spawn(move || taken.send(Ok(Value::from(8))))
            .join()
            .unwrap();
        assert_eq!(answers.try_recv().unwrap(), "8");
    }

    #[test]
    fn a_call_within_a_call_has_its_own() {
        let (sender, answers) = channel();
        Answer::during(responder(&sender), || {
            Answer::during(responder(&sender), || Ok(Value::from("inner")));
            let outer = Answer::take();
            Answer::take().send(Ok(Value::from("to nobody")));
            outer.send(Ok(Value::from("outer")));
            Ok(Value::Null)
        });
        assert_eq!(
            answers.try_iter().collect::<Vec<_>>(),
            [r#""inner""#, r#""outer""#]
        );
    }
}
