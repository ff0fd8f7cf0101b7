//! Frames: what is written is read back, and no bytes do harm.

use bytes::BytesMut;
use proptest::prelude::*;
use tokio::io::AsyncReadExt;

use crate::back::{self, Authentication, Column, Plain, ReportKind, Status};
use crate::frame::{Back, BackFrames, Frame, FrameError, FrontFrames};
use crate::front::{self, Bind, Execute, Message, Parse, Target};

const MESSAGE_BYTES_MAX: usize = 1 << 20;

async fn front_frames(mut bytes: &[u8]) -> Vec<Frame> {
    let mut frames = FrontFrames::new(MESSAGE_BYTES_MAX);
    let mut all = Vec::new();
    while let Ok(Some(frame)) = frames.read(&mut bytes).await {
        all.push(frame);
    }
    all
}

async fn back_frame(bytes: &[u8]) -> Frame {
    let mut stream = bytes;
    match BackFrames::new().read(&mut stream).await.unwrap().unwrap() {
        Back::Frame(frame) => frame,
        Back::Rows(rows) => panic!("rows {rows:?}"),
    }
}

fn raw(tag: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![tag];
    bytes.extend(u32::try_from(body.len() + 4).unwrap().to_be_bytes());
    bytes.extend(body);
    bytes
}

/// One of each message of a client.
fn valid_front() -> BytesMut {
    let mut out = BytesMut::new();
    front::query(&mut out, "select 1").unwrap();
    front::parse(&mut out, "s", "select $1", &[23, 0]).unwrap();
    front::bind(&mut out, "p", "s", b"\0\x01\0\x01\0\x02\0\0\0\x04abcd\xff\xff\xff\xff\0\x01\0\0").unwrap();
    front::describe(&mut out, Target::Portal("p")).unwrap();
    front::execute(&mut out, "p", 7).unwrap();
    front::close(&mut out, Target::Statement("s")).unwrap();
    front::sync(&mut out);
    front::flush(&mut out);
    front::copy_fail(&mut out, "no").unwrap();
    front::password(&mut out, b"secret").unwrap();
    front::terminate(&mut out);
    out
}

#[tokio::test]
async fn what_a_client_says_is_read_back() {
    let frames = front_frames(&valid_front()).await;
    let messages: Vec<_> = frames.iter().map(|frame| front::read(frame).unwrap()).collect();
    let tail = b"\0\x01\0\x01\0\x02\0\0\0\x04abcd\xff\xff\xff\xff\0\x01\0\0";
    assert_eq!(
        messages,
        [
            Message::Query("select 1"),
            Message::Parse(Parse { name: "s", text: "select $1", types: vec![23, 0] }),
            Message::Bind(Bind { portal: "p", statement: "s", values: 2, tail }),
            Message::Describe(Target::Portal("p")),
            Message::Execute(Execute { portal: "p", rows_max: 7 }),
            Message::Close(Target::Statement("s")),
            Message::Sync,
            Message::Flush,
            Message::CopyFail(b"no"),
            Message::Password(b"secret\0"),
            Message::Terminate,
        ]
    );
    let bind = Bind { portal: "p", statement: "s", values: 2, tail };
    assert_eq!([0, 1, 2, 3].map(|parameter| bind.value(parameter)), [None, Some(&b"abcd"[..]), None, None]);
}

#[tokio::test]
async fn hostile_messages_are_refused() {
    let cases: &[(u8, &[u8], FrameError)] = &[
        (b'Q', b"select 1", FrameError::Unterminated),
        (b'Q', b"select 1\0x", FrameError::Trailing),
        (b'Q', b"select '\xe9\xff'\0", FrameError::Encoding),
        (b'Q', b"", FrameError::Unterminated),
        (b'P', b"s\0select 1\0", FrameError::Short),
        (b'P', b"s\0select 1\0\xff\xff\0\0", FrameError::Short),
        (b'P', b"\xff\0select 1\0\0\0", FrameError::Encoding),
        (b'B', b"\0\0\0", FrameError::Short),
        (b'B', b"\0\0\0\0\0\x01\0\0\0\x05abcd\0\0", FrameError::Short),
        (b'B', b"\0\0\0\0\0\x01\x7f\xff\xff\xffabcd\0\0", FrameError::Short),
        (b'B', b"\0\0\0\0\0\x01\xff\xff\xff\xfe\0\0", FrameError::Field("length of a value")),
        (b'B', b"\0\0\0\0\0\0\0\0\0", FrameError::Trailing),
        (b'D', b"Xs\0", FrameError::Field("kind of object")),
        (b'D', b"Ss", FrameError::Unterminated),
        (b'E', b"p\0\0\0\0", FrameError::Short),
        (b'S', b"x", FrameError::Trailing),
    ];
    for (tag, body, expected) in cases {
        // A frame follows, which must never be read into.
        let mut bytes = raw(*tag, body);
        bytes.extend(raw(b'Q', b"select 2\0"));
        let frames = front_frames(&bytes).await;
        assert_eq!(front::read(&frames[0]), Err(*expected), "{} {body:?}", char::from(*tag));
        assert_eq!(front::read(&frames[1]), Ok(Message::Query("select 2")));
    }
}

#[test]
fn lengths_are_bounded_before_a_body_is_awaited() {
    let check = |bytes: &[u8], expected: FrameError| {
        let mut frames = FrontFrames::new(MESSAGE_BYTES_MAX);
        let mut stream = bytes;
        let read = futures_now(frames.fill(&mut stream));
        assert_eq!(read.unwrap(), bytes.len());
        assert_eq!(frames.next_frame(), Err(expected));
    };
    check(b"S\0\0\0\x03", FrameError::Length(b'S'));
    check(b"Q\xff\xff\xff\xff", FrameError::Length(b'Q'));
    check(b"z\0\0\0\x04", FrameError::UnknownTag(b'z'));
    let max = MESSAGE_BYTES_MAX;
    check(b"Q\x7f\xff\xff\xff", FrameError::TooLong { tag: b'Q', length: 0x7fff_fffb, max });
    check(b"D\0\x01\0\0", FrameError::TooLong { tag: b'D', length: 65532, max: 10_000 });
    check(b"p\0\x02\0\0", FrameError::TooLong { tag: b'p', length: 131_068, max: 65_535 });
}

/// Runs a future that has nothing to wait for.
fn futures_now<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

#[tokio::test]
async fn what_a_store_says_is_read_back() {
    let mut out = BytesMut::new();
    back::write_ready(&mut out, Status::Failed);
    assert_eq!(back::ready_status(&back_frame(&out).await), Ok(Status::Failed));

    out.clear();
    back::write_command_complete(&mut out, "INSERT 0 12").unwrap();
    let frame = back_frame(&out).await;
    assert_eq!(back::rows_of(back::command_tag(&frame).unwrap()), Some(12));
    assert_eq!(back::rows_of("CREATE TABLE"), None);

    out.clear();
    back::write_report(&mut out, ReportKind::Error, &[(b'S', "ERROR"), (b'C', "42501"), (b'M', "no\0more")]);
    let frame = back_frame(&out).await;
    let fields: Vec<_> = back::report_fields(&frame).collect();
    assert_eq!(fields, [(b'S', &b"ERROR"[..]), (b'C', b"42501"), (b'M', b"no")]);

    out.clear();
    let column =
        Column { name: b"id", table_oid: 1, attribute: 2, type_oid: 23, type_size: 4, typmod: -1, format: 1 };
    back::write_row_description(&mut out, &[column]).unwrap();
    let described = back_frame(&out).await;
    assert_eq!(back::row_description(&described), Ok(vec![column]));
    out.clear();
    back::pass_row_description(&mut out, &described).unwrap();
    let nameless = Column { table_oid: 0, attribute: 0, ..column };
    assert_eq!(back::row_description(&back_frame(&out).await), Ok(vec![nameless]));

    out.clear();
    let sasl = Authentication::Sasl(vec!["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"]);
    back::write_authentication(&mut out, &sasl).unwrap();
    assert_eq!(back::authentication(&back_frame(&out).await), Ok(sasl));

    out.clear();
    back::write_plain(&mut out, Plain::NoData);
    assert_eq!(&out[..], b"n\0\0\0\x04");
}

#[test]
fn nothing_is_written_by_halves() {
    let mut out = BytesMut::from(&b"before"[..]);
    assert_eq!(front::parse(&mut out, "s", "select\0 1", &[]), Err(FrameError::HoldsNul));
    assert_eq!(back::write_parameter_status(&mut out, "a", "b\0"), Err(FrameError::HoldsNul));
    assert_eq!(&out[..], b"before");
}

/// Rows come out as ranges that are the same bytes, whatever the sizes of reads and rows.
#[tokio::test]
async fn rows_are_ranges_of_bytes() {
    let mut all = BytesMut::new();
    for size in [0, 10, 70_000, 3, 1_000_000, 8_000, 60_000] {
        back::write_data_row(&mut all, &[Some(&vec![b'x'; size]), None]).unwrap();
    }
    let rows_end = all.len();
    back::write_command_complete(&mut all, "SELECT 7").unwrap();
    let (mut near, mut far) = tokio::io::duplex(10_000);
    let sent = all.clone();
    let writer = tokio::spawn(async move { tokio::io::AsyncWriteExt::write_all(&mut far, &sent).await });
    let mut frames = BackFrames::new();
    let (mut relayed, mut ended) = (BytesMut::new(), 0);
    let complete = loop {
        match frames.read(&mut near).await.unwrap().unwrap() {
            Back::Rows(rows) => {
                assert!(rows.bytes.len() <= 192 * 1024, "{}", rows.bytes.len());
                relayed.extend_from_slice(&rows.bytes);
                ended += rows.ended;
            }
            Back::Frame(frame) => break frame,
        }
    };
    writer.await.unwrap().unwrap();
    assert_eq!(ended, 7);
    assert_eq!(relayed[..], all[..rows_end]);
    assert_eq!(back::command_tag(&complete), Ok("SELECT 7"));
    assert!(!frames.has_bytes());
}

#[tokio::test]
async fn a_long_report_keeps_its_first_fields() {
    let mut out = BytesMut::new();
    let long = "x".repeat(3_000_000);
    back::write_report(&mut out, ReportKind::Error, &[(b'C', "22P02"), (b'M', &long), (b'n', "c")]);
    back::write_ready(&mut out, Status::Idle);
    let (mut frames, mut stream) = (BackFrames::new(), &out[..]);
    let Some(Back::Frame(error)) = frames.read(&mut stream).await.unwrap() else { panic!() };
    assert_eq!(back::report_field(&error, b'C'), Some("22P02"));
    assert!(back::report_field(&error, b'M').unwrap().len() > 10_000);
    let Some(Back::Frame(ready)) = frames.read(&mut stream).await.unwrap() else { panic!() };
    assert_eq!(back::ready_status(&ready), Ok(Status::Idle));
}

#[tokio::test]
async fn a_stream_that_ends_inside_a_message_is_an_error() {
    let whole = valid_front();
    let mut cut = &whole[..whole.len() - 2];
    let mut frames = FrontFrames::new(MESSAGE_BYTES_MAX);
    let error = loop {
        match frames.read(&mut cut).await {
            Ok(Some(_)) => {}
            other => break other,
        }
    };
    assert!(error.is_err());
    let mut row = BytesMut::new();
    back::write_data_row(&mut row, &[Some(&vec![0; 100_000])]).unwrap();
    let mut cut = row[..90_000].chain(tokio::io::empty());
    let mut frames = BackFrames::new();
    let error = loop {
        match frames.read(&mut cut).await {
            Ok(Some(_)) => {}
            other => break other,
        }
    };
    assert!(error.is_err());
}

async fn read_everything(bytes: &[u8]) {
    for frame in front_frames(bytes).await {
        let _ = front::read(&frame);
    }
    let (mut frames, mut stream) = (BackFrames::new(), bytes);
    while let Ok(Some(next)) = frames.read(&mut stream).await {
        match next {
            Back::Rows(rows) => {
                let _ = back::data_row(&rows.bytes);
            }
            Back::Frame(frame) => {
                let _ = back::ready_status(&frame);
                let _ = back::command_tag(&frame);
                let _ = back::report_fields(&frame).count();
                let _ = back::parameter_status(&frame);
                let _ = back::backend_key(&frame);
                let _ = back::row_description(&frame);
                let _ = back::parameter_types(&frame);
                let _ = back::authentication(&frame);
            }
        }
    }
}

proptest! {
    #[test]
    fn random_bytes_do_no_harm(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        futures_now(read_everything(&bytes));
    }

    #[test]
    fn random_bodies_do_no_harm(tag in any::<u8>(), body in proptest::collection::vec(0u8..5, 0..40)) {
        futures_now(read_everything(&raw(tag, &body)));
    }

    #[test]
    fn mutated_messages_do_no_harm(at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<prop::sample::Index>()) {
        let mut bytes = valid_front();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        bytes.truncate(cut.index(bytes.len()) + 1);
        futures_now(read_everything(&bytes));
    }
}
