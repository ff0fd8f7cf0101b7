//! A first configuration from a live catalogue: nothing is granted, nothing is shown.
//!
//! | what | file |
//! |---|---|
//! | where the database is, from a URL | `source.rs` |
//! | a class that the name of a field suggests | `classes.rs` |
//! | the policy's files | `policy.rs` |
//! | the login of the gateway in the database, as SQL | `login.rs` |
//! | all files, written or none | `files.rs` |

pub(crate) mod classes;
pub(crate) mod files;
pub(crate) mod login;
pub(crate) mod policy;
pub(crate) mod source;
