//! SCRAM: the exchange of RFC 7677, Postgres's verifiers, and what must not pass.

use std::num::NonZeroU32;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use postgres_protocol::authentication::sasl::{ChannelBinding, ScramSha256};
use proptest::prelude::*;

use crate::scram::{Binding, Exchange, ScramError, Verifier, make_verifier};

const SERVER_NONCE: &str = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
const CLIENT_FIRST: &[u8] = b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO";
const CLIENT_FINAL: &[u8] = b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";

fn pencil() -> Verifier {
    let salt = BASE64.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap();
    Verifier::of("pencil", &salt, NonZeroU32::new(4096).unwrap())
}

#[test]
fn the_exchange_of_rfc_7677() {
    let verifier = pencil();
    let (exchange, server_first) =
        Exchange::start(&verifier, Binding::None, CLIENT_FIRST, SERVER_NONCE).unwrap();
    assert_eq!(
        server_first,
        "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
    );
    assert_eq!(exchange.finish(CLIENT_FINAL).unwrap(), "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
}

/// A whole login with the client of postgres-protocol.
fn log_in(
    verifier: &Verifier,
    password: &str,
    client: ChannelBinding,
    server: Binding<'_>,
) -> Result<(), ScramError> {
    let mut client = ScramSha256::new(password.as_bytes(), client);
    let (exchange, server_first) =
        Exchange::start(verifier, server, client.message(), "server nonce".replace(' ', "-").as_str())?;
    client.update(server_first.as_bytes()).unwrap();
    let server_final = exchange.finish(client.message())?;
    client.finish(server_final.as_bytes()).unwrap();
    Ok(())
}

#[test]
fn verifiers_are_read_written_and_checked() {
    for password in ["secret", "", "pässwörd", "\u{2168}", "\u{7}"] {
        let text = make_verifier(password).unwrap();
        let verifier = Verifier::parse(&text).unwrap();
        assert_eq!(verifier.to_text(), text);
        let log_in = |password| log_in(&verifier, password, ChannelBinding::unsupported(), Binding::None);
        assert_eq!(log_in(password), Ok(()), "{password:?}");
        assert_eq!(log_in("wrong"), Err(ScramError::Denied), "{password:?}");
        assert_eq!(format!("{verifier:?}"), "Verifier { iterations: 4096, .. }");
    }
    for text in [
        "",
        "secret",
        "SCRAM-SHA-256$0:c2FsdA==$YWJj:YWJj",
        "SCRAM-SHA-256$4096:$AAAA:AAAA",
        "SCRAM-SHA-256$4096:c2FsdA==$YWJj:YWJj",
        "md5c2FsdA",
    ] {
        assert!(Verifier::parse(text).is_err(), "{text}");
    }
}

#[test]
fn a_login_is_bound_to_its_connection() {
    let verifier = pencil();
    let check = |client, server| log_in(&verifier, "pencil", client, server);
    let bound = || ChannelBinding::tls_server_end_point(b"this".to_vec());
    assert_eq!(check(bound(), Binding::EndPoint(b"this")), Ok(()));
    // Somebody in the middle shows another certificate.
    assert_eq!(check(bound(), Binding::EndPoint(b"that")), Err(ScramError::Binding));
    // Somebody in the middle took the mechanism off the list, and the client says so.
    assert_eq!(check(ChannelBinding::unrequested(), Binding::Offered), Err(ScramError::Binding));
    assert_eq!(check(ChannelBinding::unrequested(), Binding::None), Ok(()));
    assert_eq!(check(ChannelBinding::unsupported(), Binding::Offered), Ok(()));
    // The flag does not fit the mechanism.
    let flag = Err(ScramError::Malformed("flag"));
    assert_eq!(check(ChannelBinding::unsupported(), Binding::EndPoint(b"this")), flag);
    assert_eq!(check(bound(), Binding::Offered), flag);
}

#[test]
fn hostile_messages_are_refused() {
    let verifier = pencil();
    let start = |message: &[u8]| Exchange::start(&verifier, Binding::None, message, "x").err();
    for message in [
        "",
        "n",
        "n,",
        "n,,",
        "n,,n=u",
        "n,,n=u,r=",
        "n,,n=u,r=\u{e4}",
        "n,a=admin,n=u,r=x",
        "n,,m=x,n=u,r=x",
        "x,,n=u,r=x",
    ] {
        assert!(start(message.as_bytes()).is_some(), "{message}");
    }
    assert!(start(b"n,,n=u,r=\xff").is_some());
    let finish = |message: &str| {
        let (exchange, _) = Exchange::start(&verifier, Binding::None, CLIENT_FIRST, SERVER_NONCE).unwrap();
        exchange.finish(message.as_bytes()).err()
    };
    let valid = std::str::from_utf8(CLIENT_FINAL).unwrap();
    assert_eq!(finish(valid), None);
    assert_eq!(finish(&valid.replace("rOpr", "rOpx")), Some(ScramError::Malformed("nonce")));
    assert_eq!(finish(&valid.replace("biws", "eSws")), Some(ScramError::Binding));
    assert_eq!(finish(&valid.replace("dHzb", "dHzc")), Some(ScramError::Denied));
    for message in ["", "c=biws", ",p=", "c=biws,r=x,p=x", "c=,r=,p="] {
        assert!(finish(message).is_some(), "{message}");
    }
}

#[test]
fn users_that_do_not_exist_look_like_others() {
    let model = pencil();
    let mock = |user| Verifier::mock(user, &model.mock_secret(), Some(&model));
    let first = |verifier: &Verifier| Exchange::start(verifier, Binding::None, CLIENT_FIRST, "x").unwrap().1;
    assert_eq!(first(&mock("nobody")), first(&mock("nobody")));
    assert_ne!(first(&mock("nobody")), first(&mock("noone")));
    assert_eq!(first(&mock("nobody")).len(), first(&model).len());
}

proptest! {
    #[test]
    fn random_messages_do_no_harm(first in "[nyp,=a-z]{0,20}", last in "(c=biws,r=|,p=|[a-zA-Z=,]){0,8}") {
        let verifier = pencil();
        let _ = Exchange::start(&verifier, Binding::None, first.as_bytes(), "x");
        let (exchange, _) = Exchange::start(&verifier, Binding::None, CLIENT_FIRST, "x").unwrap();
        prop_assert!(exchange.finish(last.as_bytes()).is_err());
    }
}
