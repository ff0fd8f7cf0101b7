//! Classes that names suggest. A suggestion is a comment: only a person who knows the field decides.

/// A class with the mask that a draft gives it, and the words of a name that suggest it.
struct Suggested {
    class: &'static str,
    mask: &'static str,
    words: &'static [&'static str],
}

/// The class of every field that nobody has looked at yet.
pub(crate) const UNREVIEWED: &str = "unreviewed";

/// In the order in which they are tried: what must not be shown at all comes first.
const SUGGESTED: &[Suggested] = &[
    Suggested {
        class: "secret",
        mask: "hide",
        words: &[
            "password",
            "passwd",
            "pwd",
            "passphrase",
            "secret",
            "token",
            "apikey",
            "api_key",
            "private_key",
            "hash",
            "salt",
            "otp",
            "totp",
            "pin",
            "credential",
            "credentials",
            "cookie",
            "session",
            "csrf",
            "signature",
        ],
    },
    Suggested {
        class: "pii.id_number",
        mask: "{last: 4}",
        words: &[
            "ssn",
            "social_security",
            "passport",
            "national_id",
            "nationalid",
            "tax_id",
            "taxid",
            "tin",
            "nin",
            "nhs",
            "license",
            "licence",
            "vat",
            "plate",
            "vin",
            "id_number",
            "identity_number",
        ],
    },
    Suggested {
        class: "pii.financial",
        mask: "nullify",
        words: &[
            "salary",
            "income",
            "wage",
            "pay",
            "bonus",
            "iban",
            "bic",
            "swift",
            "account_number",
            "card",
            "pan",
            "cvv",
            "cvc",
            "credit",
            "balance",
            "bank",
            "compensation",
        ],
    },
    Suggested {
        class: "pii.health",
        mask: "nullify",
        words: &[
            "diagnosis",
            "medication",
            "allergy",
            "allergies",
            "blood",
            "disability",
            "icd",
            "treatment",
            "symptoms",
        ],
    },
    Suggested { class: "pii.email", mask: "email", words: &["email", "mail", "e_mail", "emailaddress"] },
    Suggested {
        class: "pii.phone",
        mask: "{last: 2}",
        words: &["phone", "mobile", "tel", "telephone", "fax", "msisdn", "cell", "whatsapp"],
    },
    Suggested {
        class: "pii.birth",
        mask: "{date_trunc: year}",
        words: &["birth", "birthday", "birthdate", "dob", "born", "date_of_birth"],
    },
    Suggested {
        class: "pii.address",
        mask: "nullify",
        words: &[
            "address",
            "street",
            "zip",
            "zipcode",
            "postal",
            "postcode",
            "house",
            "apartment",
            "lat",
            "lon",
            "lng",
            "latitude",
            "longitude",
            "geo",
            "location",
        ],
    },
    Suggested {
        class: "pii.device",
        mask: "nullify",
        words: &["ip", "ip_address", "mac", "imei", "device", "user_agent", "useragent", "fingerprint"],
    },
    Suggested {
        class: "pii.person",
        mask: "nullify",
        words: &[
            "gender",
            "sex",
            "religion",
            "race",
            "ethnicity",
            "nationality",
            "marital",
            "orientation",
            "political",
            "party",
        ],
    },
    Suggested {
        class: "pii.name",
        mask: "{first: 1}",
        words: &[
            "name",
            "firstname",
            "lastname",
            "surname",
            "fullname",
            "username",
            "login",
            "nickname",
            "maiden",
            "patronymic",
        ],
    },
    Suggested {
        class: "internal",
        mask: "hide",
        words: &["internal", "debug", "raw", "payload", "metadata"],
    },
];

/// The class that the name of a field suggests, if any. `is_key` says that it is part of a primary key.
pub(crate) fn suggestion(field: &str, is_key: bool) -> Option<&'static str> {
    let words = words(field);
    let joined = words.join("_");
    let suggests = |suggested: &&Suggested| {
        suggested.words.iter().any(|word| {
            if word.contains('_') { holds(&joined, word) } else { words.iter().any(|own| own == word) }
        })
    };
    match SUGGESTED.iter().find(suggests) {
        Some(suggested) => Some(suggested.class),
        None if is_key || words.last().is_some_and(|last| last == "id") => Some("key"),
        None => None,
    }
}

/// The lines of `masks` for these classes, without indentation.
pub(crate) fn masks() -> impl Iterator<Item = (&'static str, &'static str)> {
    let own = SUGGESTED.iter().map(|suggested| (suggested.class, suggested.mask));
    std::iter::once((UNREVIEWED, "hide")).chain(own).chain(std::iter::once(("pii", "nullify")))
}

/// `customerEmail`, `customer_email` and `Customer E-Mail` to their words in lower case.
fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let (mut open, mut was_lower) = (false, false);
    for letter in name.chars() {
        if !letter.is_alphanumeric() {
            open = false;
            continue;
        }
        let starts = !open || (letter.is_uppercase() && was_lower);
        was_lower = letter.is_lowercase() || letter.is_numeric();
        open = true;
        if starts {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut() {
            word.extend(letter.to_lowercase());
        }
    }
    words
}

/// Whether words joined by `_` hold these words, whole.
fn holds(joined: &str, words: &str) -> bool {
    format!("_{joined}_").contains(&format!("_{words}_"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_suggest_classes_by_whole_words() {
        for (field, is_key, class) in [
            ("email", false, Some("pii.email")),
            ("customerEmail", false, Some("pii.email")),
            ("E-Mail", false, Some("pii.email")),
            ("ssn", false, Some("pii.id_number")),
            ("password_hash", false, Some("secret")),
            ("name", false, Some("pii.name")),
            ("first_name", false, Some("pii.name")),
            ("salary", false, Some("pii.financial")),
            ("date_of_birth", false, Some("pii.birth")),
            ("id", true, Some("key")),
            ("customer_id", false, Some("key")),
            ("tax_id", false, Some("pii.id_number")),
            ("session_id", false, Some("secret")),
            ("shipping", false, None),
            ("status", false, None),
            ("description", false, None),
            ("", false, None),
        ] {
            assert_eq!(suggestion(field, is_key), class, "{field}");
        }
    }
}
