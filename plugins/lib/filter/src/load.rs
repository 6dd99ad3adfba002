//! Loads images one after the other on a thread that lives as long as there is one to load.

use std::sync::{Arc, Mutex, MutexGuard};

use rivero_plugin_api::{
    Error, Result,
    supervise::{self, lock},
};
use tokio::sync::watch;

use crate::{Image, LoadError, Source};

/// Of the thread.
const NAME: &str = "image";

type Done = Box<dyn FnOnce(Result<Image, LoadError>) + Send>;

/// Loads the image that was asked for last.
#[derive(Clone, Default)]
pub struct Loader(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    /// Counts what was asked for, so that a load that nobody waits for any more ends.
    turn: watch::Sender<u64>,
}

#[derive(Default)]
struct State {
    wanted: Option<(Source, Done)>,
    is_running: bool,
}

impl Loader {
    /// Loads an image instead of what is being loaded. `done` is called on the thread that loads,
    /// unless [`Loader::cancel`] or another call came before; it must not call the loader.
    ///
    /// # Errors
    /// 40003 when there is no thread to be had
    pub fn load(&self, source: Source, done: Done) -> Result<()> {
        let mut state = self.0.state();
        self.0.turn.send_modify(|turn| *turn += 1);
        state.wanted = Some((source, done));
        if state.is_running {
            return Ok(());
        }
        let shared = self.0.clone();
        match supervise::thread(NAME, move || shared.run()) {
            Ok(_) => {
                state.is_running = true;
                Ok(())
            }
            Err(error) => {
                state.wanted = None;
                Err(Error::unexpected(format!(
                    "no thread for an image: {error}"
                )))
            }
        }
    }

    /// Forgets what is being loaded.
    pub fn cancel(&self) {
        let mut state = self.0.state();
        self.0.turn.send_modify(|turn| *turn += 1);
        state.wanted = None;
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    fn run(&self) {
        while let Some((source, done, turn)) = self.next() {
            let loaded = supervise::contain(|| self.load(&source, turn))
                .unwrap_or_else(|text| Some(Err(LoadError::Uri(text))));
            let Some(loaded) = loaded else { continue };
            // Under the lock, so that nothing comes after it was cancelled.
            let _state = self.state();
            if *self.turn.borrow() == turn {
                supervise::contained(NAME, || done(loaded));
            }
        }
    }

    /// What to load, or the end of the thread.
    fn next(&self) -> Option<(Source, Done, u64)> {
        let mut state = self.state();
        let next = state.wanted.take();
        state.is_running = next.is_some();
        next.map(|(source, done)| (source, done, *self.turn.borrow()))
    }

    /// `None` when something else is wanted meanwhile.
    fn load(&self, source: &Source, turn: u64) -> Option<Result<Image, LoadError>> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let runtime = match runtime {
            Ok(runtime) => runtime,
            Err(error) => return Some(Err(LoadError::Uri(error.to_string()))),
        };
        let mut turns = self.turn.subscribe();
        let loaded = runtime.block_on(async {
            tokio::select! {
                loaded = source.load() => Some(loaded),
                _ = turns.wait_for(|now| *now != turn) => None,
            }
        });
        // A resolver may still be busy.
        runtime.shutdown_background();
        loaded
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read, Write},
        net::TcpListener,
        sync::mpsc,
        time::Duration,
    };

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(20);

    fn ask(loader: &Loader, uri: &str) -> mpsc::Receiver<Result<Image, LoadError>> {
        let (sender, receiver) = mpsc::channel();
        let done = Box::new(move |loaded| sender.send(loaded).unwrap());
        loader.load(Source::parse(uri).unwrap(), done).unwrap();
        receiver
    }

    /// A server for one request; gives its origin.
    fn server(answer: impl FnOnce(std::net::TcpStream) + Send + 'static) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let _ = stream.read(&mut [0; 4096]).unwrap();
            answer(stream);
        });
        origin
    }

    const FACE: &[u8] = include_bytes!("../../../../tests/pages/face.png");

    #[test]
    fn images_come_from_http() {
        let origin = server(|mut stream| {
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", FACE.len());
            stream.write_all(head.as_bytes()).unwrap();
            stream.write_all(FACE).unwrap();
        });
        let loaded = ask(&Loader::default(), &format!("{origin}/face.png"));
        assert!(loaded.recv_timeout(PATIENCE).unwrap().is_ok());
    }

    #[test]
    fn what_a_server_does_not_have_is_an_error() {
        let origin = server(|mut stream| {
            let head = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";
            stream.write_all(head).unwrap();
        });
        let loaded = ask(&Loader::default(), &format!("{origin}/face.png"));
        let error = loaded.recv_timeout(PATIENCE).unwrap().unwrap_err();
        assert_eq!(error.kind(), "INVALID_URI");
        assert!(error.to_string().contains("404"), "{error}");
    }

    #[test]
    fn a_body_without_end_is_refused() {
        let origin = server(|mut stream| {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
            while stream.write_all(&[0; 65536]).is_ok() {}
        });
        let loaded = ask(&Loader::default(), &origin);
        let error = loaded.recv_timeout(PATIENCE).unwrap().unwrap_err();
        assert!(error.to_string().contains("more than"), "{error}");
    }

    #[test]
    fn what_was_asked_for_last_comes_although_the_first_never_does() {
        let (hold, held) = mpsc::channel::<()>();
        let deaf = server(move |_stream| {
            let _ = held.recv();
        });
        let loader = Loader::default();
        let never = ask(&loader, &deaf);
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("face.png");
        std::fs::write(&path, FACE).unwrap();
        let loaded = ask(&loader, path.to_str().unwrap());
        assert!(loaded.recv_timeout(PATIENCE).unwrap().is_ok());
        assert!(never.recv().is_err(), "it was given up");
        drop(hold);
    }

    #[test]
    fn a_cancelled_load_is_not_heard_of() {
        let (hold, held) = mpsc::channel::<()>();
        let deaf = server(move |_stream| {
            let _ = held.recv();
        });
        let loader = Loader::default();
        let never = ask(&loader, &deaf);
        loader.cancel();
        let heard = never.recv_timeout(PATIENCE);
        assert!(matches!(heard, Err(mpsc::RecvTimeoutError::Disconnected)));
        drop(hold);
    }
}
