"""Postgres's regression files to statements, as psql would split them, without what only psql understands."""

import re
from dataclasses import dataclass

DOLLAR = re.compile(r"\$(?:[A-Za-z_\x80-\U0010ffff][A-Za-z_0-9\x80-\U0010ffff]*)?\$")
WORD = re.compile(r"[A-Za-z_\x80-\U0010ffff][A-Za-z_0-9$\x80-\U0010ffff]*")
ROUTINE = re.compile(r"\s*create\s+(or\s+replace\s+)?(function|procedure)\b", re.I)
WRITES = re.compile(r"\b(insert\s+into|delete\s+from|merge\s+into|update\s+(only\s+)?[\w.\"]+(\s+(as\s+)?\w+)?\s+set)\b", re.I)


@dataclass
class Statement:
    """One statement."""

    line: int
    # As the client sends it.
    text: str
    # The same without comments, with strings emptied.
    bare: str
    # The bare text outside of all parentheses.
    top: str
    # The lines that follow a COPY FROM STDIN.
    data: str | None = None

    @property
    def kind(self):
        """SELECT, VALUES, TABLE, WITH for what only reads; SET; CONTROL for transactions; OTHER."""
        words = self.bare.replace("(", " ").split()
        first = words[0].upper() if words else ""
        if first in ("SELECT", "VALUES", "TABLE", "WITH"):
            into = re.search(r"\binto\b", self.top, re.I)
            return "OTHER" if into or WRITES.search(self.bare) else first
        if first in ("SET", "RESET"):
            return "OTHER" if re.match(r"\s*(re)?set\s+(local\s+)?(role|session\s+auth|transaction|constraints)", self.bare, re.I) else "SET"
        if first in ("BEGIN", "START", "COMMIT", "END", "ROLLBACK", "ABORT", "SAVEPOINT", "RELEASE"):
            return "CONTROL"
        return "OTHER"


def split(text):
    """The statements of a file."""
    statements = []
    lines = Lines(text)
    while (statement := lines.statement()) is not None:
        statements.append(statement)
    return statements


class Lines:
    """A place in a file."""

    def __init__(self, text):
        # Lines of psql's own: meta-commands, and what it repeats.
        self.text = text
        self.at = 0

    def statement(self):
        text, start = self.text, self.at
        raw, bare, top = [], [], []
        depth = blocks = 0
        line = None
        while self.at < len(text):
            at, c = self.at, text[self.at]
            if text.startswith("--", at):
                self.at = end(text, "\n", at)
                raw.append("\n"), bare.append("\n"), top.append("\n")
                continue
            if text.startswith("/*", at):
                self.at = self.comment(at)
                raw.append(" "), bare.append(" "), top.append(" ")
                continue
            if c == "\\":
                # A meta-command to the end of its line. It ends a query that stands before it.
                rest = text[at : end(text, "\n", at)]
                if rest.startswith("\\;"):
                    self.at = at + 2
                    c = ";"
                else:
                    self.at = end(text, "\n", at)
                    if not "".join(bare).strip():
                        raw, bare, top, line = [], [], [], None
                        continue
                    if re.match(r"\\(g|gx|gset|gexec|gdesc|crosstabview|watch|bind)\b", rest):
                        break
                    raw, bare, top, line, depth = [], [], [], None, 0
                    continue
            if c == ";" and depth == 0 and blocks == 0:
                self.at = max(self.at, at + 1)
                if "".join(bare).strip():
                    break
                raw, bare, top = [], [], []
                continue
            if line is None and not c.isspace():
                line = text.count("\n", 0, at) + 1
            quoted = self.quoted(at)
            if quoted is not None:
                empty = '"' + text[at + 1 : quoted] if c == '"' else "''"
                raw.append(text[at:quoted]), bare.append(empty)
                top.append(empty if depth == 0 else "")
                self.at = quoted
                continue
            word = WORD.match(text, at)
            piece = word.group() if word else c
            if word and ROUTINE.match("".join(bare)):
                if piece.lower() == "begin" and re.match(r"\s+atomic\b", text[word.end() :], re.I):
                    blocks += 1
                elif piece.lower() == "case" and blocks:
                    blocks += 1
                elif piece.lower() == "end" and blocks:
                    blocks -= 1
            if c == "(":
                depth += 1
            raw.append(piece), bare.append(piece)
            top.append(piece if depth == 0 else "")
            if c == ")":
                depth = max(0, depth - 1)
            self.at = at + len(piece)
        if not "".join(bare).strip():
            return None
        statement = Statement(line or 0, "".join(raw).strip(), "".join(bare).strip(), "".join(top).strip())
        if re.search(r"\bcopy\b.*\bfrom\s+stdin\b", statement.bare, re.I | re.S):
            statement.data = self.copied()
        return statement

    def comment(self, at):
        depth, at = 1, at + 2
        while depth and at < len(self.text):
            if self.text.startswith("/*", at):
                depth, at = depth + 1, at + 2
            elif self.text.startswith("*/", at):
                depth, at = depth - 1, at + 2
            else:
                at += 1
        return at

    def quoted(self, at):
        """Where a string or a quoted name that begins here ends."""
        text, c = self.text, self.text[at]
        if c == "$":
            tag = DOLLAR.match(text, at)
            if tag and (at == 0 or not (text[at - 1].isalnum() or text[at - 1] == "_")):
                close = text.find(tag.group(), tag.end())
                return len(text) if close < 0 else close + len(tag.group())
            return None
        if c in "eE" and text[at + 1 : at + 2] == "'" and not text[at - 1 : at].isalnum():
            return self.string(at + 1, escapes=True)
        if c == "'":
            return self.string(at, escapes=False)
        if c == '"':
            while True:
                at = end(text, '"', at + 1) + 1
                if text[at : at + 1] != '"':
                    return at
        return None

    def string(self, at, escapes):
        text = self.text
        at += 1
        while at < len(text):
            if escapes and text[at] == "\\":
                at += 2
            elif text[at] == "'":
                if text[at + 1 : at + 2] != "'":
                    return at + 1
                at += 2
            else:
                at += 1
        return len(text)

    def copied(self):
        """The lines up to `\\.`."""
        start = end(self.text, "\n", self.at) + 1
        close = re.compile(r"^\\\.$", re.M).search(self.text, start)
        if close is None:
            return ""
        self.at = close.end()
        return self.text[start : close.start()]


def end(text, what, at):
    found = text.find(what, at)
    return len(text) if found < 0 else found
