//! A call that is done at once, or that takes a while.

use std::pin::Pin;

use rivero_plugin_api::supervise::{contain_future, report};

use crate::error::CallError;

/// The outcome of a call: most are known at once, and cost no task and no allocation.
pub enum Execution<T> {
    /// Finished.
    Done(Result<T, CallError>),
    /// Goes on; dropping it abandons the wait, not the work.
    Pending(Pin<Box<dyn Future<Output = Result<T, CallError>> + Send>>),
}

impl<T: Send + 'static> Execution<T> {
    /// A call that goes on. A panic in it is its error, so that its client gets an answer.
    pub fn pending(
        future: impl Future<Output = Result<T, CallError>> + Send + 'static,
    ) -> Execution<T> {
        Execution::Pending(Box::pin(async move {
            contain_future(future).await.unwrap_or_else(|text| {
                report("a call", &text);
                let text = format!("The server failed while it handled the call: {text}");
                Err(CallError::unexpected(text))
            })
        }))
    }

    /// Changes the result, now or when it comes.
    pub fn map<U: Send + 'static>(
        self,
        change: impl FnOnce(T) -> U + Send + 'static,
    ) -> Execution<U> {
        match self {
            Execution::Done(result) => Execution::Done(result.map(change)),
            Execution::Pending(future) => {
                Execution::pending(async move { future.await.map(change) })
            }
        }
    }

    /// Waits for the result.
    ///
    /// # Errors
    /// Those of the call.
    pub async fn wait(self) -> Result<T, CallError> {
        match self {
            Execution::Done(result) => result,
            Execution::Pending(future) => future.await,
        }
    }
}

impl<T> From<CallError> for Execution<T> {
    fn from(error: CallError) -> Execution<T> {
        Execution::Done(Err(error))
    }
}

impl<T: std::fmt::Debug> std::fmt::Debug for Execution<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Execution::Done(result) => f.debug_tuple("Done").field(result).finish(),
            Execution::Pending(_) => f.write_str("Pending"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_call_that_panics_has_an_answer() {
        let later = Execution::pending(async {
            tokio::task::yield_now().await;
            Ok(1)
        });
        let error = later.map(|_| -> u8 { panic!("on purpose") }).wait().await;
        let error = error.unwrap_err();
        assert_eq!(error.code, 40003);
        assert!(error.message.contains("on purpose"), "{}", error.message);
    }
}
