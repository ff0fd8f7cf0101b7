//! A store with a table for each type, asked through guards that are made by hand.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};

use access::{Catalog, Cell, Guard, GuardedColumn, Guards, Predicate, RelationName, Value};
use pg_proxy::upstream::{Password, UpstreamConfig};
use testkit::Postgres;
use testkit::postgres::GATEWAY;
use tokio_postgres::types::{FromSql, ToSql, Type};
use tokio_postgres::{AsyncMessage, Client, NoTls};

use super::Bytes;
use super::edges::Edge;
use super::hashes;

/// Settings that a session may have.
pub(super) const SETTINGS: [&str; 4] = [
    "",
    "set timezone = 'Asia/Kathmandu'; set datestyle = 'German, DMY'; set intervalstyle = 'iso_8601'",
    "set timezone = 'America/New_York'; set datestyle = 'SQL, MDY'; set extra_float_digits = -15; \
     set bytea_output = 'escape'; set array_nulls = off",
    "set timezone = 'Pacific/Apia'; set datestyle = 'Postgres, YMD'; set xmloption = 'document'; \
     set lc_monetary = 'C'; set lc_numeric = 'C'; set lc_time = 'C'; set force_parallel_mode = on; \
     set enable_seqscan = off",
];

pub(super) struct Shop {
    client: Client,
    settings: &'static str,
    catalog: Catalog,
    notices: Receiver<String>,
    /// The type and modifier of each table's column.
    pub(super) types: Vec<(u32, i32)>,
}

pub(super) struct Answer {
    pub(super) ids: Vec<i32>,
    pub(super) ty: (u32, i32),
    pub(super) cells: Vec<Bytes>,
}

/// A value as the server sends it in binary, which no setting changes.
struct Raw(Vec<u8>);

impl<'a> FromSql<'a> for Raw {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Self(raw.to_vec()))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

impl Shop {
    pub(super) async fn open(server: &Postgres, edges: &[Edge]) -> Self {
        let (client, mut connection) = server.config("postgres").connect(NoTls).await.unwrap();
        let (heard, notices) = channel();
        tokio::spawn(async move {
            while let Some(message) = std::future::poll_fn(|context| connection.poll_message(context)).await {
                if let Ok(AsyncMessage::Notice(notice)) = message {
                    heard.send(notice.to_string()).unwrap();
                }
            }
        });
        client
            .batch_execute(
                "create schema edge; create type edge.mood as enum ('low', 'high');
                 create collation edge.ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
                 create domain edge.code as varchar(8) check (value <> 'forbidden');",
            )
            .await
            .unwrap();
        for (at, edge) in edges.iter().enumerate() {
            client.batch_execute(&filled(at, edge)).await.unwrap();
        }
        let catalog = pg_proxy::catalog::load(&upstream(server), "crm").await.unwrap();
        let mut shop = Self { client, settings: "", catalog, notices, types: Vec::new() };
        for at in 0..edges.len() {
            let answer = shop.answer(&format!("select id, v from edge.t{at}"), "", "the type").await;
            shop.types.push(answer.ty);
        }
        shop
    }

    /// What is stored, in the order of rows.
    pub(super) async fn stored(&mut self, at: usize) -> Vec<Bytes> {
        self.answer(&format!("select id, v from edge.t{at} order by id"), "", "what is stored").await.cells
    }

    /// A constant of the type, as the server sends it.
    pub(super) async fn constant(&mut self, edge: &Edge, value: &Value) -> Vec<u8> {
        let asked = format!("select 0, {}::{}", edge.constant(&value.to_string()), edge.base);
        let mut cells = self.answer(&asked, "", "a constant").await.cells;
        cells.remove(0).unwrap()
    }

    /// Values of a type by their texts, as the server sends them.
    pub(super) async fn typed(&mut self, ty: &str, texts: &[Option<String>]) -> Vec<Bytes> {
        let mut cells = Vec::with_capacity(texts.len());
        for text in texts {
            let Some(text) = text else {
                cells.push(None);
                continue;
            };
            let asked = format!("select 0, '{}'::{ty}", text.replace('\'', "''"));
            cells.extend(self.answer(&asked, "set timezone = 'UTC'", &asked).await.cells);
        }
        cells
    }

    /// What is sent for `SELECT id, …` of a table, under a guard of these rows and this cell.
    pub(super) fn guarded(&self, at: usize, second: &str, rows: Option<Predicate>, cell: Cell) -> String {
        let column = |name: &str, cell| GuardedColumn { name: name.into(), cell };
        let guard = Guard {
            relation: RelationName::new("edge", format!("t{at}")),
            rows,
            columns: vec![column("id", Cell::always(access::Mask::Clear)), column("v", cell)],
        };
        let guards = Guards { relations: vec![guard], ..Guards::default() };
        let asked = format!("SELECT id, {second} FROM edge.t{at} ORDER BY id");
        let sent = sql::on_stack(100_000, || {
            let path: Vec<Arc<str>> = Vec::new();
            let session = sql::Session { search_path: &path, caller: "alice", parameters: &[] };
            let batch = sql::parse(&asked, &sql::Limits::default())?;
            let statement = batch.get(0).unwrap();
            let scope = sql::scope(&statement, &self.catalog, session)?;
            let printed = sql::print(&sql::rewrite(&scope, &guards)?)?;
            sql::verify(&printed, &guards, &self.catalog)?;
            Ok::<_, access::Refusal>(printed.text().to_owned())
        });
        sent.unwrap_or_else(|refusal| panic!("{refusal}: {guards:?}"))
    }

    /// The answer of the store under these settings, which has to be one.
    pub(super) async fn answer(&mut self, sent: &str, settings: &'static str, told: &str) -> Answer {
        if settings != self.settings {
            self.client.batch_execute(&format!("reset all; {settings}")).await.unwrap();
            self.settings = settings;
        }
        let failed = |error: tokio_postgres::Error| -> ! {
            panic!("{told}\n{:?}", error.as_db_error().map(|said| said.message().to_owned()))
        };
        let statement = match self.client.prepare(sent).await {
            Ok(statement) => statement,
            Err(error) => failed(error),
        };
        let blocks = hashes::blocks();
        let keys: [&(dyn ToSql + Sync); 2] = [&blocks[0], &blocks[1]];
        let keys = if statement.params().is_empty() { &[][..] } else { &keys[..] };
        let rows = match self.client.query(&statement, keys).await {
            Ok(rows) => rows,
            Err(error) => failed(error),
        };
        let column = &statement.columns()[1];
        Answer {
            ids: rows.iter().map(|row| row.get(0)).collect(),
            ty: (column.type_().oid(), column.type_modifier()),
            cells: rows.iter().map(|row| row.get::<_, Option<Raw>>(1).map(|raw| raw.0)).collect(),
        }
    }

    /// Nothing was told beside the answers.
    pub(super) fn heard_nothing(&self) {
        let heard: Vec<String> = self.notices.try_iter().collect();
        assert!(heard.is_empty(), "{heard:?}");
    }
}

fn upstream(server: &Postgres) -> UpstreamConfig {
    UpstreamConfig {
        host: "127.0.0.1".to_owned(),
        port: server.port(),
        database: "postgres".to_owned(),
        user: GATEWAY.to_owned(),
        password: Some(Password::new(GATEWAY)),
        tls: None,
        extension_schemas: Vec::new(),
        settings: Vec::new(),
        connect_ms_max: 10_000,
    }
}

fn filled(at: usize, edge: &Edge) -> String {
    let declared = edge.declared;
    let constant = |cell: Option<String>| cell.map_or("null".to_owned(), |value| edge.constant(&value));
    let row = |(id, (one, other))| format!("({id}, {}, {})", constant(one), constant(other));
    let rows: Vec<String> = edge.rows().into_iter().enumerate().map(row).collect();
    format!(
        "create table edge.t{at} (id int4 primary key, v {declared}, w {declared}); insert into edge.t{at} values {}",
        rows.join(", ")
    )
}
