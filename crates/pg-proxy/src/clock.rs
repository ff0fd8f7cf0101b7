//! How long a session may wait, and whether the gateway stops.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

use crate::answer::Answer;
use crate::serve::{Limits, Shutdown};

/// What ends a session that waits.
pub(crate) struct Clock {
    idle_max: Duration,
    transaction_idle_max: Duration,
    drain_max: Duration,
    /// When bytes last came from the client, or went to it.
    moved: Instant,
    wake: Pin<Box<Sleep>>,
    shutdown: Shutdown,
    /// Set once the gateway stops: when the session must be over.
    until: Option<Instant>,
}

impl Clock {
    pub(crate) fn new(limits: &Limits, shutdown: Shutdown) -> Self {
        let idle_max = Duration::from_millis(limits.idle_ms_max);
        let transaction_idle_max = Duration::from_millis(limits.transaction_idle_ms_max);
        let moved = Instant::now();
        Self {
            idle_max,
            transaction_idle_max,
            drain_max: Duration::from_millis(limits.drain_ms_max),
            moved,
            wake: Box::pin(sleep_until(moved + idle_max.min(transaction_idle_max))),
            shutdown,
            until: None,
        }
    }

    pub(crate) fn moved(&mut self) {
        self.moved = Instant::now();
    }

    /// Ready with what ends the session.
    pub(crate) fn poll(
        &mut self,
        idle: bool,
        in_transaction: bool,
        waits: bool,
        cx: &mut Context<'_>,
    ) -> Poll<Answer> {
        let stop = || Answer::fatal("57P01", "terminating connection due to administrator command");
        if self.until.is_none() && self.shutdown.as_mut().poll(cx).is_ready() {
            let until = Instant::now() + self.drain_max;
            self.until = Some(until);
            self.wake.as_mut().reset(until);
        }
        if self.until.is_some() && idle {
            return Poll::Ready(stop());
        }
        while self.wake.as_mut().poll(cx).is_ready() {
            let now = Instant::now();
            if self.until.is_some_and(|until| until <= now) {
                return Poll::Ready(stop());
            }
            let (patience, answer) = if in_transaction {
                let message = "terminating connection due to idle-in-transaction timeout";
                (self.transaction_idle_max, Answer::fatal("25P03", message))
            } else {
                let message = "terminating connection due to idle-session timeout";
                (self.idle_max, Answer::fatal("57P05", message))
            };
            if waits && self.moved + patience <= now {
                return Poll::Ready(answer);
            }
            // Looked at again when the shorter of the two may be over.
            let step = self.idle_max.min(self.transaction_idle_max).max(Duration::from_millis(10));
            let next = if waits { (self.moved + patience).min(now + step) } else { now + step };
            self.wake.as_mut().reset(self.until.map_or(next, |until| until.min(next)));
        }
        Poll::Pending
    }
}
