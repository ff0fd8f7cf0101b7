//! One client's session, from its login to its end.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Poll};

use gate::SqlSession;
use tokio::sync::OwnedSemaphorePermit;

use crate::answer::Answer;
use crate::back::{self, Status};
use crate::cancel::{self, HandBack};
use crate::client::{Client, Parameters};
use crate::clock::Clock;
use crate::frame::Frame;
use crate::front::{self, Bind, Message};
use crate::open::{Opened, open};
use crate::pool::{Link, Pool};
use crate::relay::Expected;
use crate::serve::{Proxy, Shutdown};
use crate::settings::Settings;
use crate::startup::Startup;
use crate::statements::{Named, Portal, Prepared};

/// How many answers may be awaited before no more is read.
const QUEUE_MAX: usize = 4096;

/// One client's session. `simple.rs` and `extended.rs` take its messages, `relay.rs` what the store answers.
pub(crate) struct Session {
    pub proxy: Arc<Proxy>,
    pub pool: Arc<Pool>,
    /// Who asks, as the gate sees it.
    pub sql: SqlSession,
    pub client: Client,
    /// The connection that is lent to it: from the first message that needs one to the end of the transaction.
    pub link: Option<Link>,
    /// What comes next to the client, in order.
    pub queue: VecDeque<Expected>,
    /// As of the last ReadyForQuery.
    pub status: Status,
    pub statements: Named<Prepared>,
    pub portals: Named<Portal>,
    pub settings: Settings,
    /// The settings that the client has been told of.
    pub parameters: Parameters,
    /// Counts Syncs and simple queries.
    pub segment: u64,
    /// A Parse of the unnamed statement that has yet to be sent.
    pub deferred: Option<Arc<Prepared>>,
    /// Whether the client's messages are dropped up to its next Sync.
    pub skipping: bool,
    /// Whether the client has said goodbye.
    pub leaves: bool,
    /// Whether the store has been asked to answer all that it was sent.
    pub asked: bool,
    /// Whether the client has been sent a part of a row only.
    pub row_open: bool,
    /// Whether this session has ever set its path, or what literals are read by.
    pub meaning_moves: bool,
    /// Whether something on its way changes what the next messages mean: the path, literals, or names.
    pub unsettled: bool,
    /// Whether the connection may be given back.
    pub free: bool,
    pub clock: Clock,
    cancels: cancel::Registration,
    /// Its place among the sessions.
    _slot: OwnedSemaphorePermit,
}

/// Why a session ends.
#[derive(Debug)]
pub(crate) enum End {
    /// The client said goodbye, or is gone.
    ClientGone,
    /// The store's connection broke, or is out of step.
    StoreGone,
    /// There is nothing more to say.
    Told,
    /// The client is to be told this.
    Because(Answer),
}

/// Why a message is not passed on.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The client is to be answered with this instead.
    Refused(Answer),
    /// Something before it has failed.
    Skipped,
    /// The session ends.
    End(End),
}

impl Stop {
    /// The SQLSTATE of the refusal, or of what was before it.
    pub(crate) fn sqlstate(&self) -> Option<&'static str> {
        match self {
            Self::Refused(answer) => Some(answer.sqlstate),
            Self::Skipped => Some("25P02"),
            Self::End(_) => None,
        }
    }
}

impl From<Answer> for Stop {
    fn from(answer: Answer) -> Self {
        Self::Refused(answer)
    }
}

impl From<End> for Stop {
    fn from(end: End) -> Self {
        Self::End(end)
    }
}

/// Takes a connection that has said who it wants to be through login, session and end. It is a `stranger` until it has
/// proven that.
pub(crate) async fn run(
    mut startup: Box<Startup>,
    proxy: Arc<Proxy>,
    shutdown: Shutdown,
    stranger: OwnedSemaphorePermit,
) {
    let opened = open(&mut startup, &proxy).await;
    let Startup { stream, frames, .. } = *startup;
    let mut client = Client::new(stream, frames);
    let opened = match opened {
        Ok(opened) => opened,
        Err(None) => return,
        Err(Some(answer)) => return client.farewell(&answer).await,
    };
    drop(stranger);
    let mut session = Session::new(client, opened, proxy, shutdown);
    let end = match session.greet().await {
        Ok(()) => session.serve().await,
        Err(end) => end,
    };
    session.end(end).await;
}

impl Session {
    fn new(client: Client, opened: Opened, proxy: Arc<Proxy>, shutdown: Shutdown) -> Self {
        let Opened { mut sql, pool, settings, cancels, slot } = opened;
        let clock = Clock::new(&proxy.limits, shutdown);
        sql.start_path = settings.path().to_vec();
        let mut session = Self {
            proxy,
            pool,
            sql,
            client,
            link: None,
            queue: VecDeque::new(),
            status: Status::Idle,
            statements: Named::default(),
            portals: Named::default(),
            settings,
            parameters: Parameters::default(),
            segment: 0,
            deferred: None,
            skipping: false,
            leaves: false,
            asked: false,
            row_open: false,
            meaning_moves: false,
            unsettled: false,
            free: false,
            clock,
            cancels,
            _slot: slot,
        };
        session.follow_path();
        session
    }

    /// Tells the client all that a server tells before the first query.
    async fn greet(&mut self) -> Result<(), End> {
        // The store must be there, and take the session's settings.
        match self.link().await {
            Err(Stop::Refused(answer)) => return Err(End::Because(Answer { fatal: true, ..answer })),
            Err(Stop::End(end)) => return Err(end),
            Ok(_) | Err(Stop::Skipped) => {}
        }
        let out = &mut self.client.out;
        for (name, value) in self.pool.parameters().iter() {
            if self.parameters.changed(name, value) {
                back::write_parameter_status(out, name, value).map_err(|_| End::StoreGone)?;
            }
        }
        for (name, value) in [("is_superuser", "off"), ("session_authorization", &*self.sql.identity.id)] {
            back::write_parameter_status(out, name, value).map_err(|_| End::ClientGone)?;
        }
        while !self.queue.is_empty() {
            self.turn(false).await?;
        }
        self.give_back().await;
        let key = self.cancels.key();
        back::write_backend_key(&mut self.client.out, key.pid, &key.secret).map_err(|_| End::ClientGone)?;
        back::write_ready(&mut self.client.out, Status::Idle);
        Ok(())
    }

    /// The client's messages, one after the other, for as long as it stays.
    async fn serve(&mut self) -> End {
        loop {
            match self.messages().await {
                Ok(()) => {}
                Err(end) => return end,
            }
            if let Err(end) = self.turn(true).await {
                return end;
            }
        }
    }

    /// All messages that have come whole.
    async fn messages(&mut self) -> Result<(), End> {
        loop {
            // A client that does not take its answers is not asked for more questions.
            while self.client.is_full() || self.link.as_ref().is_some_and(Link::is_full) {
                self.turn(false).await?;
            }
            let frame = self.client.frames.next_frame().map_err(|error| protocol(&error))?;
            let Some(frame) = frame else { return Ok(()) };
            self.message(&frame).await?;
            if self.queue.len() > QUEUE_MAX {
                self.settle().await?;
            }
        }
    }

    async fn message(&mut self, frame: &Frame) -> Result<(), End> {
        let message = front::read(frame).map_err(|error| protocol(&error))?;
        if !self.skipping && !matches!(message, Message::Bind(Bind { statement: "", .. })) {
            let sent = self.send_deferred().await;
            self.stopped(sent, false)?;
        }
        let is_simple = matches!(message, Message::Query(_) | Message::FunctionCall);
        self.asked = is_simple || matches!(message, Message::Sync | Message::Flush);
        let passed = self.pass_on(message).await;
        self.stopped(passed, is_simple)
    }

    fn stopped(&mut self, passed: Result<(), Stop>, is_simple: bool) -> Result<(), End> {
        match passed {
            Ok(()) | Err(Stop::Skipped) => Ok(()),
            Err(Stop::End(end)) => Err(end),
            Err(Stop::Refused(answer)) if is_simple => self.refuse_query(answer),
            Err(Stop::Refused(answer)) => self.refuse(answer),
        }
    }

    async fn pass_on(&mut self, message: Message<'_>) -> Result<(), Stop> {
        // After an error the rest of a pipeline is dropped, unread.
        if self.skipping && !matches!(message, Message::Sync | Message::Terminate) {
            return Ok(());
        }
        match message {
            Message::Query(text) => self.query(text).await,
            Message::Parse(parse) => self.parse(parse).await,
            Message::Bind(bind) => self.bind(bind).await,
            Message::Describe(target) => self.describe(target).await,
            Message::Execute(execute) => self.execute(execute).await,
            Message::Close(target) => self.close(target).await,
            Message::Sync => {
                self.sync();
                Ok(())
            }
            Message::Flush => {
                self.flush();
                Ok(())
            }
            Message::Terminate => {
                // What was asked before the goodbye is done: it may be a COMMIT.
                self.leaves = true;
                self.settle().await?;
                Err(End::Told.into())
            }
            // What is left of a COPY that has failed is dropped, as the server does.
            Message::CopyData(_) | Message::CopyDone | Message::CopyFail(_) => Ok(()),
            Message::FunctionCall => self.function_call().await,
            Message::Password(_) => {
                Err(End::Because(Answer::fatal("08P01", "unexpected message after the login")).into())
            }
        }
    }

    /// Waits until all that was sent has been answered.
    pub(crate) async fn settle(&mut self) -> Result<(), End> {
        if self.awaits_sync() {
            // The store may keep answers back until it is asked for them.
            self.flush();
        }
        while !self.queue.is_empty() {
            self.turn(false).await?;
        }
        self.unsettled = false;
        Ok(())
    }

    /// The connection of the open transaction; a new one begins with the session's settings.
    pub(crate) async fn link(&mut self) -> Result<&mut Link, Stop> {
        if self.link.is_none() {
            let mut link = self.pool.take().await?;
            let wanted = self.settings.now();
            let same = link.applied.as_ref().is_some_and(|applied| Arc::ptr_eq(applied, wanted));
            if !same && let Some(statements) = wanted.statements_from(link.applied.as_deref()) {
                front::query(&mut link.out, &statements).map_err(|_| End::StoreGone)?;
                link.cache.forget_unnamed();
                self.queue.push_back(Expected::Own);
            }
            link.applied = Some(Arc::clone(wanted));
            if let Some(target) = &link.target {
                self.cancels.lend(target.clone()).await;
            }
            self.link = Some(link);
        }
        Ok(self.link.as_mut().ok_or(End::StoreGone)?)
    }

    /// The store is in no transaction: portals of it are gone, and the connection is free if nothing is on its way.
    pub(crate) fn transaction_ended(&mut self, segment: u64) {
        self.portals.retain(|portal| portal.segment > segment);
        self.sql.names.end_transaction();
        let applied = self.settings.end_transaction();
        if let Some(link) = &mut self.link {
            link.applied = applied;
        }
        self.follow_path();
        self.free = self.queue.is_empty();
    }

    /// Gives the connection back, once no cancel is on its way to it.
    pub(crate) async fn give_back(&mut self) {
        self.free = false;
        let Some(link) = self.link.take() else { return };
        match self.cancels.hand_back().await {
            HandBack::Clean => self.pool.give(link),
            HandBack::Haunted => link.goodbye(),
        }
    }

    pub(crate) fn follow_path(&mut self) {
        if *self.sql.search_path != *self.settings.path() {
            self.sql.search_path = self.settings.path().to_vec();
        }
    }

    /// What happens to a session that waits: it may be too long, or the gateway stops.
    pub(crate) fn poll_clock(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), End>> {
        let idle = self.link.is_none() && self.queue.is_empty() && !self.client.frames.has_bytes();
        // A client that is slow to take its answer counts as one that does not ask, and so does one that has the store
        // wait for its Sync.
        let is_asked = |expected: &Expected| matches!(expected, Expected::Sync(_));
        let works = self.asked || self.queue.iter().any(is_asked);
        let waits = self.queue.is_empty() || !self.client.out.is_empty() || !works;
        match self.clock.poll(idle, self.link.is_some(), waits, cx) {
            Poll::Ready(answer) => Poll::Ready(Err(End::Because(answer))),
            Poll::Pending => Poll::Pending,
        }
    }

    async fn end(mut self, end: End) {
        match &end {
            End::ClientGone => {}
            // What would follow a part of a row would be taken for the rest of it.
            _ if self.row_open => {}
            End::StoreGone => {
                let answer = Answer::fatal("08006", "the connection to the store was lost");
                self.client.farewell(&answer).await;
            }
            End::Told => self.client.drain().await,
            End::Because(answer) => self.client.farewell(answer).await,
        }
        let Some(link) = self.link.take() else { return };
        // What still runs, it runs for nobody. The connection is not used again: a transaction is open.
        if !self.queue.is_empty()
            && let Err(error) = self.proxy.cancels.forward(self.cancels.key()).await
        {
            tracing::warn!(%error, "a statement whose client is gone could not be cancelled");
        }
        link.goodbye();
    }
}

fn protocol(error: &crate::frame::FrameError) -> End {
    End::Because(Answer::protocol(error))
}
