//! How deep a text nests, counted on its tokens before anything recursive reads it.

/// The longest run of operator characters, and the deepest nesting of comments. The server's scanner reads such a run
/// again for each `/*` and `--` that could start in it: without a bound that is the square of its length.
const OPERATOR_RUN_MAX: usize = 256;
const COMMENT_DEPTH_MAX: usize = 32;

/// The deepest nesting of parentheses, brackets and CASE. Strings, quoted names and comments count for nothing. Where
/// this scanner and Postgres's disagree (both are fed text that is no SQL), the stack is sized by length all the same.
pub(crate) fn nesting(text: &str) -> usize {
    scan(text).0
}

/// Whether the server's scanner would read parts of the text again and again.
pub(crate) fn is_tangled(text: &str) -> bool {
    scan(text).1
}

fn scan(text: &str) -> (usize, bool) {
    let mut scanner = Scanner { rest: text.as_bytes(), tangled: false };
    let (mut depth, mut deepest) = (0_usize, 0_usize);
    while let Some(token) = scanner.next() {
        match token {
            Token::Open => depth += 1,
            Token::Close => depth = depth.saturating_sub(1),
            Token::Other => {}
        }
        deepest = deepest.max(depth);
    }
    (deepest, scanner.tangled)
}

enum Token {
    Open,
    Close,
    Other,
}

struct Scanner<'t> {
    rest: &'t [u8],
    tangled: bool,
}

impl Scanner<'_> {
    fn next(&mut self) -> Option<Token> {
        let token = match *self.rest {
            [] => return None,
            [b'(' | b'[', ..] => self.take(1, Token::Open),
            [b')' | b']', ..] => self.take(1, Token::Close),
            [b'\'', ..] => self.skip_quoted(b'\'', false),
            [b'"', ..] => self.skip_quoted(b'"', false),
            [b'-', b'-', ..] => self.skip_line(),
            [b'/', b'*', ..] => {
                self.look_at_run(0);
                self.skip_comment()
            }
            [b'$', ..] => self.skip_dollar_quoted(),
            [c, ..] if is_name_byte(c) => self.word(),
            _ => {
                self.look_at_run(0);
                self.take(1, Token::Other)
            }
        };
        Some(token)
    }

    /// A run of operator characters that starts so far from here.
    fn look_at_run(&mut self, at: usize) {
        let run = self.rest.iter().skip(at).take_while(|c| b"~!@#^&|`?+-*/%<>=".contains(c));
        self.tangled |= run.take(OPERATOR_RUN_MAX + 1).count() > OPERATOR_RUN_MAX;
    }

    fn take(&mut self, count: usize, token: Token) -> Token {
        self.rest = self.rest.get(count..).unwrap_or_default();
        token
    }

    /// A name, a keyword or a number, together with the escape string that an `E` may open.
    fn word(&mut self) -> Token {
        let end = self.rest.iter().position(|&c| !is_name_byte(c) && c != b'$').unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        if word.eq_ignore_ascii_case(b"e") && rest.first() == Some(&b'\'') {
            return self.skip_quoted(b'\'', true);
        }
        if word.eq_ignore_ascii_case(b"case") {
            return Token::Open;
        }
        if word.eq_ignore_ascii_case(b"end") { Token::Close } else { Token::Other }
    }

    /// A doubled quote reads as the end of one string and the start of the next, which comes to the same.
    fn skip_quoted(&mut self, quote: u8, backslashes: bool) -> Token {
        let mut at = 1;
        loop {
            match self.rest.get(at) {
                None => break,
                Some(b'\\') if backslashes => at += 2,
                // Inside an escape string the doubled quote must not end it: what follows still reads backslashes.
                Some(&c) if c == quote && backslashes && self.rest.get(at + 1) == Some(&quote) => at += 2,
                Some(&c) if c == quote => break,
                Some(_) => at += 1,
            }
        }
        self.take(at + 1, Token::Other)
    }

    fn skip_line(&mut self) -> Token {
        let end = self.rest.iter().position(|c| matches!(c, b'\n' | b'\r')).unwrap_or(self.rest.len());
        self.take(end, Token::Other)
    }

    /// Comments nest.
    fn skip_comment(&mut self) -> Token {
        let (mut depth, mut at) = (1_usize, 2);
        while depth > 0 {
            match (self.rest.get(at), self.rest.get(at + 1)) {
                (None, _) => break,
                (Some(b'/'), Some(b'*')) => {
                    self.look_at_run(at);
                    (depth, at) = (depth + 1, at + 2);
                    self.tangled |= depth > COMMENT_DEPTH_MAX;
                }
                (Some(b'*'), Some(b'/')) => (depth, at) = (depth - 1, at + 2),
                (Some(_), _) => at += 1,
            }
        }
        self.take(at, Token::Other)
    }

    /// `$tag$ … $tag$`; a dollar sign that opens no such string stands for itself.
    fn skip_dollar_quoted(&mut self) -> Token {
        let tag_end = self.rest.iter().skip(1).position(|&c| !is_name_byte(c)).map(|end| end + 1);
        let Some(tag) = tag_end
            .filter(|&end| self.rest.get(end) == Some(&b'$'))
            .filter(|_| !self.rest.get(1).is_some_and(u8::is_ascii_digit))
            .and_then(|end| self.rest.get(..=end))
        else {
            return self.take(1, Token::Other);
        };
        let body = self.rest.get(tag.len()..).unwrap_or_default();
        let end = find(body, tag).map_or(self.rest.len(), |at| at + 2 * tag.len());
        self.take(end, Token::Other)
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

fn is_name_byte(c: u8) -> bool {
    c.is_ascii_alphanumeric() || c == b'_' || !c.is_ascii()
}

#[cfg(test)]
mod tests {
    use super::nesting;

    #[test]
    fn brackets_count() {
        assert_eq!(nesting("select ((1)), a[(b[1])]"), 3);
        assert_eq!(nesting("select 1)) ((("), 3);
    }

    #[test]
    fn case_counts_until_its_end() {
        assert_eq!(nesting("select case when (a) then case b when 1 then 2 end end, (1)"), 2);
    }

    #[test]
    fn strings_names_and_comments_do_not_count() {
        for text in [
            "select '(((''((('",
            r"select e'(\'(((', '('",
            r"select E'a''\'((', '('",
            "select \"((\"\"((\"",
            "select 1 -- ((((\n",
            "select /* ((( /* (( */ (( */ 1",
            "select $$(((($$, $a$((( $b$ (( $a$",
            "select a$b$, c$b$",
        ] {
            assert_eq!(nesting(text), 0, "{text}");
        }
    }

    #[test]
    fn what_follows_them_counts() {
        for text in [
            "select '' , (1)",
            "select '\\' , (1)",
            "-- x\n(1)",
            "/* x */ (1)",
            "$$x$$ (1)",
            "$1 (1)",
            "$ (1)",
        ] {
            assert_eq!(nesting(text), 1, "{text}");
        }
    }

    #[test]
    fn unfinished_text_ends() {
        for text in ["'((", "e'\\", "/*((", "$$((", "\"((", "$x"] {
            assert_eq!(nesting(text), 0, "{text}");
        }
    }
}
