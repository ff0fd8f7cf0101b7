//! The client's end of a session: its stream, what waits for it, and the settings that it has been told of.

use std::time::Duration;

use bytes::BytesMut;
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;

use crate::answer::Answer;
use crate::frame::FrontFrames;
use crate::pool::may_be_known;
use crate::relay::poll_send;
use crate::tls::Stream;

/// How much may wait for a slow client before neither it nor the store is read any more.
const OUT_BYTES_MAX: usize = 128 * 1024;
/// How long a client may take to hear why it has to go.
const FAREWELL_MS_MAX: u64 = 2000;

/// The client's end.
#[derive(Debug)]
pub(crate) struct Client {
    pub stream: Stream,
    pub frames: FrontFrames,
    /// What has yet to be sent.
    pub out: BytesMut,
}

impl Client {
    pub(crate) fn new(stream: Stream, frames: FrontFrames) -> Self {
        Self { stream, frames, out: BytesMut::new() }
    }

    /// Whether more waits for it than should.
    pub(crate) fn is_full(&self) -> bool {
        self.out.len() >= OUT_BYTES_MAX
    }

    /// Says why, and sends it if the client takes it.
    pub(crate) async fn farewell(&mut self, answer: &Answer) {
        answer.write(&mut self.out);
        self.drain().await;
    }

    /// Sends what waits, and ends the connection in a way that the other side can tell from one that was cut.
    pub(crate) async fn drain(&mut self) {
        let ended = async {
            std::future::poll_fn(|cx| poll_send(&mut self.stream, &mut self.out, cx)).await?;
            self.stream.shutdown().await
        };
        let _ = timeout(Duration::from_millis(FAREWELL_MS_MAX), ended).await;
    }
}

/// The settings that a client has been told of.
#[derive(Debug, Default)]
pub(crate) struct Parameters {
    told: Vec<(Box<str>, Box<str>)>,
}

impl Parameters {
    /// Whether the client is to be told: it may know this one, and does not.
    pub(crate) fn changed(&mut self, name: &str, value: &str) -> bool {
        if !may_be_known(name) {
            return false;
        }
        match self.told.iter_mut().find(|(told, _)| **told == *name) {
            Some((_, told)) if **told == *value => false,
            Some((_, told)) => {
                *told = value.into();
                true
            }
            None => {
                self.told.push((name.into(), value.into()));
                true
            }
        }
    }
}
