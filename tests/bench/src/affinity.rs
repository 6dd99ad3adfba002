//! Which core does what: the server never shares one with the load.

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use serde::Serialize;

use crate::error::Error;

/// The cores of a measurement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct Cores {
    /// The server's, and the floor's.
    pub(crate) server: usize,
    /// The load's.
    pub(crate) generator: usize,
}

impl Cores {
    /// The wished ones, else the first and the last that this process may use.
    pub(crate) fn choose(server: Option<usize>, generator: Option<usize>) -> Result<Self, Error> {
        let allowed = sched_getaffinity(None).map_err(|e| failed(e.into()))?;
        let allowed: Vec<usize> = (0..CpuSet::MAX_CPU)
            .filter(|&c| allowed.is_set(c))
            .collect();
        let (Some(&first), Some(&last)) = (allowed.first(), allowed.last()) else {
            return Err(Error::Other("this process may use no core".to_owned()));
        };
        Ok(Self {
            server: server.unwrap_or(first),
            generator: generator.unwrap_or(last),
        })
    }

    /// Keeps the calling thread, and what it starts, on the load's core.
    pub(crate) fn enter_generator(self) -> Result<(), Error> {
        enter(self.generator)
    }

    /// Keeps the calling thread, and what it starts, on the server's core.
    pub(crate) fn enter_server(self) -> Result<(), Error> {
        enter(self.server)
    }
}

fn enter(core: usize) -> Result<(), Error> {
    let mut set = CpuSet::new();
    if core < CpuSet::MAX_CPU {
        set.set(core);
    }
    sched_setaffinity(None, &set).map_err(|e| failed(e.into()))
}

fn failed(error: std::io::Error) -> Error {
    Error::system("choosing cores")(error)
}
