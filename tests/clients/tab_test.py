"""What psql offers when TAB is pressed, typed into the psql named on the command line. The environment says where."""

import fcntl
import os
import pty
import re
import struct
import sys
import tempfile
import termios

# What is typed before TAB. psql asks the server for each.
TYPED = """select * from @
select * from cu@
select * from customers where @
select * from public.@
select id from orders o join @
table @
copy @
copy customers (@
explain select * from o@
analyze @
lock table @
comment on column customers.@
comment on table @
create index on @
grant select on @
insert into @
update @
delete from @
drop index @
drop view @
drop type @
drop function low@
refresh materialized view @
alter table @
alter table customers alter column @
alter table customers drop constraint @
alter index @
alter sequence @
alter type @
alter domain @
alter role @
alter statistics @
create trigger x before update on customers for each row execute function @
set search_path to @
set client_enc@
show time@
reset @
set role @
declare c cursor for select * from @
fetch from @
close @
execute @
deallocate @
unlisten @
\\d @
\\d cu@
\\d public.@
\\dt @
\\di @
\\ds @
\\dv @
\\dm @
\\dE @
\\df low@
\\dn @
\\du @
\\dT @
\\dD @
\\dF @
\\dFd @
\\dFp @
\\dFt @
\\des @
\\dew @
\\det @
\\dL @
\\dA @
\\db @
\\dc @
\\dP @
\\dX @
\\dy @
\\dconfig @
\\sf low@
\\sv @
\\ef low@
\\encoding @""".splitlines()

READLINE = """set show-all-if-ambiguous on
set completion-query-items 0
set page-completions off
set bell-style none
set enable-bracketed-paste off
"""


class Terminal:
    """A psql at a terminal. What is typed is worked through in its order, so that a mark says that all before it is done."""

    def __init__(self, psql):
        with tempfile.NamedTemporaryFile("w", suffix=".inputrc", delete=False) as file:
            file.write(READLINE)
        process, self.screen = pty.fork()
        if process == 0:
            os.environ.update(TERM="dumb", INPUTRC=file.name, PSQL_HISTORY=os.devnull, PAGER="cat")
            os.execv(psql, [psql, "-X", "-q", "-v", "PROMPT1=> ", "-v", "PROMPT2=> ", "-v", "PROMPT3=> "])
        fcntl.ioctl(self.screen, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 200, 0, 0))
        self.marks = 0
        self.until(b"> ")
        os.unlink(file.name)

    def until(self, pattern):
        """All that is shown until this is. With a prompt readline listens: before, the terminal itself edits lines."""
        shown = b""
        while not re.search(pattern, shown):
            shown += os.read(self.screen, 65536)
        return shown.decode()

    def until_mark(self, typed):
        """Types, leaves the line, and reads all that is shown."""
        self.marks += 1
        # The line is taken back; then two halves are put together by psql, not by the terminal's echo.
        os.write(self.screen, f"{typed}\x15\\echo ma''rk{self.marks}\r".encode())
        return self.until(f"\nmark{self.marks}\r\n.*> ".encode())


def offered(shown):
    """The words of the lists and of the line, without what is typed after it."""
    shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown).replace("\x07", "").replace("\r", "\n")
    words = {word for line in shown.split("\n") if "echo" not in line for word in line.split()}
    return sorted(word for word in words if word != ">" and not word.startswith("mark"))


terminal = Terminal(sys.argv[1])
for typed in TYPED:
    shown = terminal.until_mark(typed.replace("@", "\t\t"))
    print(f"== {typed}", *offered(shown), sep="\n")
