//! A tap on the wire: passes bytes on in both directions, and keeps what the client got.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// The bytes that each connection's client got.
type Heard = Arc<Mutex<Vec<Arc<Mutex<Vec<u8>>>>>>;

/// A port before another one. Its threads end with the connections, its listener with the process.
#[derive(Debug)]
pub(super) struct Tap {
    pub(super) port: u16,
    heard: Heard,
}

impl Tap {
    /// Listens before a port of 127.0.0.1.
    pub(super) fn before(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let tap = Self { port: listener.local_addr().unwrap().port(), heard: Heard::default() };
        let heard = Arc::clone(&tap.heard);
        thread::spawn(move || {
            for client in listener.incoming() {
                let (client, server) = (client.unwrap(), TcpStream::connect(("127.0.0.1", port)).unwrap());
                let got = Arc::default();
                heard.lock().unwrap().push(Arc::clone(&got));
                let (client_too, server_too) = (client.try_clone().unwrap(), server.try_clone().unwrap());
                thread::spawn(move || pass(client_too, server_too, None));
                thread::spawn(move || pass(server, client, Some(&got)));
            }
        });
        tap
    }

    /// What clients got so far, connection by connection.
    pub(super) fn heard(&self) -> Vec<Vec<u8>> {
        let heard = self.heard.lock().unwrap();
        heard.iter().map(|connection| connection.lock().unwrap().clone()).collect()
    }
}

/// Passes bytes on until either side ends.
fn pass(mut from: TcpStream, mut to: TcpStream, keep: Option<&Mutex<Vec<u8>>>) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        if let Some(keep) = keep {
            keep.lock().unwrap().extend_from_slice(&buffer[..count]);
        }
        if to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}
