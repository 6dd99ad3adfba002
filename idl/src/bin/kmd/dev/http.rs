//! As much of HTTP/1.1 as a page on loopback needs (RFC 9112): `GET`, one request a connection.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

/// Bytes of a request's head.
const HEAD: u64 = 16 << 10;
/// Requests at a time: a browser has six connections to a host.
const REQUESTS: usize = 64;
/// How long a browser may take to say what it wants.
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) struct Request {
    /// Path and query.
    pub(super) target: String,
}

pub(super) struct Response {
    pub(super) kind: &'static str,
    pub(super) body: String,
}

/// Answers requests, each on a thread of its own. `None` is that there is no such thing.
pub(super) fn serve(
    listener: TcpListener,
    answer: impl Fn(&Request) -> Option<Response> + Send + Sync + 'static,
) {
    let answer = Arc::new(answer);
    let at_work = Arc::new(AtomicUsize::new(0));
    thread::spawn(move || {
        for stream in listener.incoming().filter_map(Result::ok) {
            let (answer, at_work) = (answer.clone(), at_work.clone());
            if at_work.fetch_add(1, SeqCst) >= REQUESTS {
                at_work.fetch_sub(1, SeqCst);
                continue;
            }
            thread::spawn(move || {
                // Whoever went away needs no answer.
                let _ = exchange(&stream, &*answer);
                at_work.fetch_sub(1, SeqCst);
            });
        }
    });
}

fn exchange(
    mut stream: &TcpStream,
    answer: &dyn Fn(&Request) -> Option<Response>,
) -> std::io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let (status, response) = match head(stream)? {
        Err(status) => (status, None),
        Ok(request) => match answer(&request) {
            Some(response) => ("200 OK", Some(response)),
            None => ("404 Not Found", None),
        },
    };
    let (kind, body) = match &response {
        Some(Response { kind, body }) => (*kind, body.as_str()),
        None => ("text/plain", status),
    };
    let length = body.len();
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: {kind}; charset=utf-8\r\nContent-Length: {length}\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n{body}"
    )
}

/// The request, or the status that refuses it.
fn head(stream: &TcpStream) -> std::io::Result<Result<Request, &'static str>> {
    let mut lines = BufReader::new(stream.take(HEAD)).lines();
    let first = lines.next().transpose()?.unwrap_or_default();
    let mut is_local = false;
    loop {
        let line = lines.next().transpose()?.unwrap_or_default();
        if line.is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("host")
        {
            is_local = names_this_machine(value.trim());
        }
    }
    let mut words = first.split(' ');
    Ok(match (words.next(), words.next()) {
        // A page whose name leads here (DNS rebinding) is not for what this one is told.
        _ if !is_local => Err("403 Forbidden"),
        (Some("GET"), Some(target)) => Ok(Request {
            target: target.to_owned(),
        }),
        _ => Err("405 Method Not Allowed"),
    })
}

fn names_this_machine(host: &str) -> bool {
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    name.eq_ignore_ascii_case("localhost") || name == "127.0.0.1"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_loopback_are_answered() {
        for host in ["localhost", "localhost:1", "LOCALHOST:80", "127.0.0.1:8"] {
            assert!(names_this_machine(host), "{host}");
        }
        for host in [
            "",
            "example.com",
            "localhost.example.com:1",
            "127.0.0.1.example.com",
        ] {
            assert!(!names_this_machine(host), "{host}");
        }
    }
}
