//! The keys of the `hash` mask: secrets by their versions, keys derived from them, and the tokens that they make.
//!
//! A derived key is HKDF-SHA-256 of the secret for one root classification and one purpose. A token is HMAC-SHA-256 under
//! it, cut to the type that shows it. The store makes tokens itself, out of two blocks of which each is as long as one
//! of SHA-256: the key under the inner pad of HMAC, and under the outer one.

use std::fmt;

use access::HashKey;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, Zeroizing};

/// The fewest bytes of a secret: as many as HMAC-SHA-256 gives.
pub const SECRET_BYTES_MIN: usize = 32;
/// The most bytes of a secret.
pub const SECRET_BYTES_MAX: usize = 4096;

/// Tells this use of a secret from any other, and from a later form of the mask.
const SALT: &[u8] = b"veilgate hash mask, form 1";
const BLOCK_BYTES: usize = 64;

/// The versions of the key of the `hash` mask, one of which makes the tokens of today.
pub struct HashKeys {
    versions: Vec<(u32, Secret)>,
    current: u32,
}

/// A secret. It has no printed form, and its memory is wiped.
struct Secret(Zeroizing<Vec<u8>>);

/// Why keys cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HashKeyError {
    /// The secret of this version is too short.
    Short(u32),
    /// The secret of this version is too long.
    Long(u32),
    /// The secret of this version is one byte again and again, or little more.
    Simple(u32),
    /// Two versions have one secret: these two.
    Same(u32, u32),
    /// The current version, this one, is not there.
    NotThere(u32),
}

impl fmt::Display for HashKeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Short(version) => write!(f, "version {version} has fewer than {SECRET_BYTES_MIN} bytes"),
            Self::Long(version) => write!(f, "version {version} has more than {SECRET_BYTES_MAX} bytes"),
            Self::Simple(version) => {
                write!(f, "version {version} is no random text: it has few different bytes")
            }
            Self::Same(one, other) => write!(f, "versions {one} and {other} are the same"),
            Self::NotThere(current) => write!(f, "there is no version {current}"),
        }
    }
}

impl std::error::Error for HashKeyError {}

impl HashKeys {
    /// Keys by their versions, and the version that masks use.
    ///
    /// # Errors
    /// A secret that is no secret, or a current version that is not there.
    pub fn new(
        versions: impl IntoIterator<Item = (u32, Zeroizing<Vec<u8>>)>,
        current: u32,
    ) -> Result<Self, HashKeyError> {
        let mut versions: Vec<(u32, Secret)> =
            versions.into_iter().map(|(version, bytes)| (version, Secret(bytes))).collect();
        versions.sort_by_key(|(version, _)| *version);
        for (at, (version, secret)) in versions.iter().enumerate() {
            secret.check(*version)?;
            let same = versions.iter().take(at).find(|(_, other)| other.0 == secret.0);
            if let Some((other, _)) = same {
                return Err(HashKeyError::Same(*other, *version));
            }
        }
        if versions.iter().all(|(version, _)| *version != current) {
            return Err(HashKeyError::NotThere(current));
        }
        Ok(Self { versions, current })
    }

    /// The version that masks use.
    #[must_use]
    pub fn current(&self) -> u32 {
        self.current
    }

    /// All versions, the oldest first.
    pub fn versions(&self) -> impl Iterator<Item = u32> {
        self.versions.iter().map(|(version, _)| *version)
    }

    /// The key that masks use where a policy says this.
    #[must_use]
    pub fn derived(&self, key: &HashKey) -> Option<DerivedKey> {
        self.derived_by(self.current, key)
    }

    /// The same of one version.
    #[must_use]
    pub fn derived_by(&self, version: u32, key: &HashKey) -> Option<DerivedKey> {
        let (_, secret) = self.versions.iter().find(|(own, _)| *own == version)?;
        secret.derived(key)
    }

    /// The version under which this value has this token, if there is one; the newest first.
    #[must_use]
    pub fn version_of(&self, key: &HashKey, value: &str, token: &str) -> Option<u32> {
        let has = |(version, secret): &&(u32, Secret)| {
            secret.derived(key).is_some_and(|derived| derived.has(value, token)).then_some(*version)
        };
        self.versions.iter().rev().find_map(|version| has(&version))
    }
}

impl fmt::Debug for HashKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let versions: Vec<u32> = self.versions().collect();
        f.debug_struct("HashKeys").field("versions", &versions).field("current", &self.current).finish()
    }
}

impl Secret {
    fn check(&self, version: u32) -> Result<(), HashKeyError> {
        let Self(bytes) = self;
        if bytes.len() < SECRET_BYTES_MIN {
            return Err(HashKeyError::Short(version));
        }
        if bytes.len() > SECRET_BYTES_MAX {
            return Err(HashKeyError::Long(version));
        }
        let mut different: Zeroizing<Vec<u8>> = bytes.clone();
        different.sort_unstable();
        different.dedup();
        // 32 random digits or bytes have fewer than 8 different ones in less than one of a million cases.
        if different.len() < 8 {
            return Err(HashKeyError::Simple(version));
        }
        Ok(())
    }

    /// HKDF-SHA-256, of which one block is enough.
    fn derived(&self, key: &HashKey) -> Option<DerivedKey> {
        let HashKey { root, purpose } = key;
        let mut extracted = mac(SALT, &[&self.0])?;
        let purpose: &[&[u8]] = match purpose {
            Some(purpose) => &[b"\0purpose\0", purpose.as_bytes()],
            None => &[],
        };
        // No name holds a NUL, so that no two have one text in common.
        let info = [&[root.as_bytes()], purpose, &[b"\0\x01"]].concat();
        let mut okm = mac(&extracted, &info)?;
        let derived = DerivedKey::new(&okm);
        extracted.zeroize();
        okm.zeroize();
        Some(derived)
    }
}

fn mac(key: &[u8], parts: &[&[u8]]) -> Option<[u8; 32]> {
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(key).ok()?;
    parts.iter().for_each(|part| mac.update(part));
    Some(mac.finalize().into_bytes().into())
}

/// A key for one root classification and one purpose, as the store takes it. It has no printed form.
pub struct DerivedKey {
    inner: Zeroizing<[u8; BLOCK_BYTES]>,
    outer: Zeroizing<[u8; BLOCK_BYTES]>,
}

impl DerivedKey {
    fn new(key: &[u8; 32]) -> Self {
        let padded = |pad: u8| {
            let mut block = Zeroizing::new([pad; BLOCK_BYTES]);
            block.iter_mut().zip(key).for_each(|(byte, key)| *byte ^= key);
            block
        };
        Self { inner: padded(0x36), outer: padded(0x5c) }
    }

    /// The two parameters of the store, in their order: the key under the inner pad, and under the outer one.
    #[must_use]
    pub fn parameters(&self) -> [&[u8]; 2] {
        [&*self.inner, &*self.outer]
    }

    /// HMAC-SHA-256, as the store makes it.
    fn mac(&self, message: &[u8]) -> [u8; 32] {
        use sha2::Digest;
        let inner = Sha256::new().chain_update(*self.inner).chain_update(message).finalize();
        Sha256::new().chain_update(*self.outer).chain_update(inner).finalize().into()
    }

    /// The token of a text.
    #[must_use]
    pub fn text(&self, value: &str) -> String {
        hex(self.mac(value.as_bytes()).get(..8).unwrap_or_default())
    }

    /// The token of a UUID, however it is written; none where it is no UUID.
    #[must_use]
    pub fn of_uuid(&self, value: &str) -> Option<String> {
        uuid(value).map(|uuid| self.uuid(&uuid))
    }

    /// The token of bytes that are written `\x…`; none where they are not.
    #[must_use]
    pub fn of_bytes(&self, value: &str) -> Option<String> {
        value.trim().strip_prefix("\\x").and_then(unhex).map(|bytes| self.bytes(&bytes))
    }

    /// The token of bytes, as Postgres writes bytes.
    #[must_use]
    pub fn bytes(&self, value: &[u8]) -> String {
        format!("\\x{}", hex(&self.mac(value)))
    }

    /// The token of a UUID that is written in lower case with hyphens.
    #[must_use]
    pub fn uuid(&self, value: &str) -> String {
        let digits = hex(self.mac(value.as_bytes()).get(..16).unwrap_or_default());
        let mut token = String::with_capacity(36);
        for (at, digit) in digits.chars().enumerate() {
            if matches!(at, 8 | 12 | 16 | 20) {
                token.push('-');
            }
            token.push(digit);
        }
        token
    }

    /// The token of a whole number.
    #[must_use]
    pub fn bigint(&self, value: i64) -> i64 {
        let mac = self.mac(value.to_string().as_bytes());
        mac.first_chunk().map_or(0, |first| i64::from_be_bytes(*first))
    }

    /// Whether the value, of whichever type, has this token. `char(n)` and numbers are written as the canonical form
    /// has them.
    fn has(&self, value: &str, token: &str) -> bool {
        let token = token.trim();
        let mut forms = vec![self.text(value)];
        forms.extend(self.of_uuid(value));
        forms.extend(self.of_bytes(value));
        forms.extend(value.trim().parse().ok().map(|number| self.bigint(number).to_string()));
        let lower = Zeroizing::new(token.to_ascii_lowercase());
        let equal = |form: &String| bool::from(form.as_bytes().ct_eq(lower.as_bytes()));
        // All are looked at, whichever it is.
        forms.iter().fold(false, |has, form| has | equal(form))
    }
}

impl PartialEq for DerivedKey {
    fn eq(&self, other: &Self) -> bool {
        bool::from(self.inner.as_slice().ct_eq(other.inner.as_slice()))
    }
}

impl Eq for DerivedKey {}

impl fmt::Debug for DerivedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DerivedKey(..)")
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(digits: &str) -> Option<Vec<u8>> {
    let nibbles: Vec<u8> = digits
        .chars()
        .map(|digit| digit.to_digit(16).and_then(|value| u8::try_from(value).ok()))
        .collect::<Option<_>>()?;
    let pair = |pair: &[u8]| match pair {
        [high, low] => Some(high << 4 | low),
        _ => None,
    };
    nibbles.chunks(2).map(pair).collect()
}

/// A UUID in lower case with hyphens, however it is written.
fn uuid(value: &str) -> Option<String> {
    let digits: String = value.trim().chars().filter(|c| !matches!(c, '-' | '{' | '}')).collect();
    let bytes = unhex(&digits).filter(|bytes| bytes.len() == 16)?;
    let digits = hex(&bytes);
    let mut written = String::with_capacity(36);
    for (at, digit) in digits.chars().enumerate() {
        if matches!(at, 8 | 12 | 16 | 20) {
            written.push('-');
        }
        written.push(digit);
    }
    Some(written)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(text.as_bytes().to_vec())
    }

    const ONE: &str = "0123456789abcdef0123456789abcdef";
    const TWO: &str = "fedcba9876543210fedcba9876543210";

    fn keys() -> HashKeys {
        HashKeys::new([(2, secret(TWO)), (1, secret(ONE))], 2).unwrap()
    }

    fn key(root: &str, purpose: Option<&str>) -> HashKey {
        HashKey { root: root.into(), purpose: purpose.map(Into::into) }
    }

    #[test]
    fn a_token_is_hmac_under_the_derived_key() {
        let keys = keys();
        let derived = keys.derived(&key("pii", Some("training"))).unwrap();
        // By Python: hmac over hmac over hmac, as RFC 5869 and RFC 2104 say.
        assert_eq!(derived.text("ann@example.org"), EXPECTED_TEXT);
        assert_eq!(derived.bigint(-42), EXPECTED_BIGINT);
    }

    const EXPECTED_TEXT: &str = "773cd68b6006f307";
    const EXPECTED_BIGINT: i64 = -3758317711123590607;

    #[test]
    fn keys_differ_by_version_root_and_purpose() {
        let keys = keys();
        let all = [
            key("pii", None),
            key("pii", Some("")),
            key("pii", Some("a")),
            key("p", Some("a")),
            key("p", None),
        ];
        let mut tokens = Vec::new();
        for version in keys.versions() {
            for key in &all {
                tokens.push(keys.derived_by(version, key).unwrap().text("x"));
            }
        }
        let count = tokens.len();
        tokens.sort();
        tokens.dedup();
        assert_eq!(tokens.len(), count);
        assert_eq!(keys.derived(&all[0]), keys.derived_by(2, &all[0]));
    }

    #[test]
    fn an_old_version_is_found_by_its_token() {
        let keys = keys();
        let key = key("pii", None);
        let uuid = "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11";
        for version in [1, 2] {
            let derived = keys.derived_by(version, &key).unwrap();
            for (value, token) in [
                ("x y", derived.text("x y")),
                ("A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11", derived.uuid(uuid)),
                ("-7", derived.bigint(-7).to_string()),
                ("\\x00FF", derived.bytes(&[0, 255])),
                ("", derived.text("").to_ascii_uppercase()),
            ] {
                assert_eq!(keys.version_of(&key, value, &token), Some(version), "{value}");
                assert_eq!(keys.version_of(&key, "other", &token), None);
            }
        }
    }

    #[test]
    fn what_is_no_secret_is_refused() {
        let made = |versions: Vec<(u32, &str)>, current| {
            HashKeys::new(versions.into_iter().map(|(version, text)| (version, secret(text))), current).err()
        };
        assert_eq!(made(vec![(1, "0123456789abcdef")], 1), Some(HashKeyError::Short(1)));
        assert_eq!(made(vec![(1, &ONE.repeat(200))], 1), Some(HashKeyError::Long(1)));
        assert_eq!(made(vec![(3, &"ab".repeat(20))], 3), Some(HashKeyError::Simple(3)));
        assert_eq!(made(vec![(1, ONE), (2, ONE)], 2), Some(HashKeyError::Same(1, 2)));
        assert_eq!(made(vec![(1, ONE)], 2), Some(HashKeyError::NotThere(2)));
    }

    #[test]
    fn nothing_prints_a_key() {
        let keys = keys();
        let derived = keys.derived(&key("pii", None)).unwrap();
        assert_eq!(
            format!("{keys:?} {derived:?}"),
            "HashKeys { versions: [1, 2], current: 2 } DerivedKey(..)"
        );
    }
}
