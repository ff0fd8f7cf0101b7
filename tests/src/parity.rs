//! The demo's policy said twice: by the gateway, and by native row security with masking views. Questions of a hundred
//! shapes get equal answers; what differs is listed in `tests/parity/differences.txt`.

use std::process::Command;

use testkit::{Postgres, workspace};

use crate::clients::python;
use crate::gateway::Gateway;

#[test]
fn the_answers_are_those_of_native_row_security() {
    let python = python();
    let here = workspace::root().join("tests/parity");
    let native = Postgres::shared().database_with("crm");
    native.run(&std::fs::read_to_string(here.join("native.sql")).unwrap());
    let gateway = Gateway::shared();

    let server = native.server();
    let socket = server.socket_folder().display();
    let mut parity = Command::new(python);
    parity.arg("-B").arg(here.join("parity.py"));
    parity.env("NATIVE", format!("host={socket} port={} dbname={}", server.port(), native.name));
    parity.env("GATEWAY", gateway.port().to_string());
    let output = parity.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    eprintln!("{}", said.lines().next().unwrap_or_default());
}
