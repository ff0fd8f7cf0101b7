//! Hidden parameters through the gateway: a client counts its own alone, by every road.

use access::HashKey;
use bytes::{BufMut, BytesMut};

use super::gateway::{Gateway, Raw};
use super::policy::{hash_keys, policy};
use crate::back;
use crate::frame::Back;
use crate::front;
use crate::front::Target::{Portal, Statement};

/// The token of a word.
fn token(word: &str) -> String {
    let key = HashKey { root: "text".into(), purpose: None };
    hash_keys().derived(&key).unwrap().text(word)
}

async fn gateway() -> Gateway {
    let gateway = Gateway::start().await;
    let told = gateway.gate().reload(policy("hash"), None);
    assert!(told.is_empty(), "{told:?}");
    gateway
}

/// What follows the names in a Bind.
fn tail(formats: &[u16], values: &[&[u8]], results: &[u16]) -> Vec<u8> {
    let mut tail = BytesMut::new();
    let count = |length: usize| u16::try_from(length).unwrap();
    tail.put_u16(count(formats.len()));
    formats.iter().for_each(|format| tail.put_u16(*format));
    tail.put_u16(count(values.len()));
    for value in values {
        tail.put_u32(u32::try_from(value.len()).unwrap());
        tail.put_slice(value);
    }
    tail.put_u16(count(results.len()));
    results.iter().for_each(|format| tail.put_u16(*format));
    tail.to_vec()
}

async fn error(raw: &mut Raw) -> String {
    raw.send().await;
    let mut told = String::new();
    loop {
        if let Some(Back::Frame(frame)) = raw.next().await {
            match frame.tag() {
                b'E' => told = back::report_field(&frame, b'M').unwrap().to_owned(),
                b'Z' => return told,
                _ => {}
            }
        }
    }
}

#[tokio::test]
async fn a_simple_query_is_answered_as_ever() {
    let gateway = gateway().await;
    let mut raw = gateway.raw().await;
    assert_eq!(raw.value("select word from numbers where n = 7").await, token("word 7"));
    raw.query("select word from numbers where n < 3; select 1; table numbers limit 0");
    assert_eq!(
        raw.answers(1).await,
        [
            "columns 1",
            "rows 2",
            "SELECT 2",
            "columns 1",
            "rows 1",
            "SELECT 1",
            "columns 2",
            "SELECT 0",
            "ready I"
        ]
    );
    // What fails in the middle ends it, and what was before it is undone.
    raw.query("set statement_timeout = 12345; select word from numbers where n = 1; select 1/(n-1) from numbers where n = 1; select 3");
    assert_eq!(
        raw.answers(1).await,
        ["SET", "columns 1", "rows 1", "SELECT 1", "columns 1", "error 22012", "ready I"]
    );
    assert_eq!(raw.value("show statement_timeout").await, "0");
    raw.query("begin; select word from numbers where n = 1");
    assert_eq!(raw.answers(1).await, ["BEGIN", "columns 1", "rows 1", "SELECT 1", "ready T"]);
    raw.query("select word from numbers where n = 2; commit");
    assert_eq!(raw.answers(1).await, ["columns 1", "rows 1", "SELECT 1", "COMMIT", "ready I"]);
    raw.query("begin; select 1/0; select word from numbers");
    assert_eq!(raw.answers(1).await, ["BEGIN", "error 22012", "ready E"]);
    raw.query("select word from numbers").query("rollback; select word from numbers where n = 3");
    assert_eq!(
        raw.answers(2).await,
        ["error 25P02", "ready E", "ROLLBACK", "columns 1", "rows 1", "SELECT 1", "ready I"]
    );
    // One that reads no hash goes as it always did.
    raw.query("select count(*) from numbers; select n from numbers where n = 1");
    assert_eq!(
        raw.answers(1).await,
        ["columns 1", "rows 1", "SELECT 1", "columns 1", "rows 1", "SELECT 1", "ready I"]
    );
}

#[tokio::test]
async fn formats_and_values_are_the_clients() {
    let gateway = gateway().await;
    let mut raw = gateway.raw().await;
    let asked = "select word, $2::text from numbers where n = $1";
    raw.parse("s", asked).describe(Statement("s")).sync();
    assert_eq!(raw.answers(1).await, ["parsed", "parameters 2", "columns 2", "ready I"]);
    let one = 1_i32.to_be_bytes();
    for (formats, first) in
        [(&[][..], &b"1"[..]), (&[0], b"1"), (&[1], &one), (&[1, 0], &one), (&[0, 1], b"1"), (&[1, 1], &one)]
    {
        front::bind(&mut raw.out, "", "s", &tail(formats, &[first, b"x"], &[1])).unwrap();
        raw.describe(Portal("")).execute("", 0).sync();
        assert_eq!(raw.first_value().await, token("word 1"), "{formats:?}");
    }
    for (formats, values) in [(&[0, 0, 0][..], 2), (&[0], 1), (&[], 3), (&[], 4), (&[], 0)] {
        let values = vec![&b"1"[..]; values];
        front::bind(&mut raw.out, "", "s", &tail(formats, &values, &[])).unwrap();
        raw.execute("", 0).sync();
        let told = error(&mut raw).await;
        let expected = match formats {
            [_, _, _] => "bind message has 3 parameter formats but 2 parameters".to_owned(),
            _ => format!(
                "bind message supplies {} parameters, but prepared statement \"s\" requires 2",
                values.len()
            ),
        };
        assert_eq!(told, expected);
    }
}

#[tokio::test]
async fn declared_parameters_that_are_not_used_count_too() {
    let gateway = gateway().await;
    let mut raw = gateway.raw().await;
    // The client may declare more than it uses: the keys come after all of them.
    front::parse(&mut raw.out, "s", "select word from numbers where n = $1", &[23, 25, 17, 17]).unwrap();
    raw.describe(Statement("s"));
    let values: [&[u8]; 4] = [b"5", b"", b"x", b"y"];
    front::bind(&mut raw.out, "", "s", &tail(&[], &values, &[])).unwrap();
    raw.execute("", 0).sync();
    assert_eq!(
        raw.answers(1).await,
        ["parsed", "parameters 4", "columns 1", "bound", "rows 1", "SELECT 1", "ready I"]
    );
    // A text that names what would be a key has one parameter more, and so the key is another.
    raw.parse("t", "select word, $2::bytea, $3::bytea from numbers where n = $1")
        .describe(Statement("t"))
        .sync();
    assert_eq!(raw.answers(1).await, ["parsed", "parameters 3", "columns 3", "ready I"]);
    // So many that there is no room.
    let types = vec![23; 65_534];
    front::parse(&mut raw.out, "u", "select word from numbers", &types).unwrap();
    raw.sync();
    assert_eq!(raw.answers(1).await, ["error 54000", "ready I"]);
}

#[tokio::test]
async fn statements_follow_a_reload_and_are_shared() {
    let gateway = gateway().await;
    let mut raw = gateway.raw().await;
    let asked = "select word from numbers where n = 9";
    raw.parse("s", asked).bind("", "s").execute("", 0).sync();
    assert_eq!(raw.first_value().await, token("word 9"));
    // The columns are as before, the parameters are not.
    gateway.gate().reload(policy("clear"), None);
    raw.bind("", "s").execute("", 0).sync();
    assert_eq!(raw.first_value().await, "word 9");
    gateway.gate().reload(policy("hash"), None);
    raw.bind("", "s").execute("", 0).sync();
    assert_eq!(raw.first_value().await, token("word 9"));
    // A pipeline of several, in one segment and in two.
    raw.parse("", asked).bind("", "").execute("", 0).bind("p", "s").execute("p", 0).sync();
    raw.parse("", asked).bind("", "").describe(Portal("")).execute("", 1).execute("", 0).sync();
    assert_eq!(
        raw.answers(2).await,
        [
            "parsed",
            "bound",
            "rows 1",
            "SELECT 1",
            "bound",
            "rows 1",
            "SELECT 1",
            "ready I",
            "parsed",
            "bound",
            "columns 1",
            "rows 1",
            "suspended",
            "SELECT 0",
            "ready I"
        ]
    );
}
