//! Random queries: every form of expression, FROM clause and query that the grammar knows for SELECT, from a seed.

/// Makes texts that the grammar nearly always accepts. What they mean does not matter.
pub(crate) struct Generator {
    state: u64,
}

impl Generator {
    pub(crate) fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// A query whose parts nest up to `depth` levels.
    pub(crate) fn query(&mut self, depth: u32) -> String {
        let with = if self.one_in(6) { self.with(depth) } else { String::new() };
        let body = self.body(depth);
        let tail = self.tail(depth);
        format!("{with}{body}{tail}")
    }

    /// SplitMix64.
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).unwrap()
    }

    fn one_in(&mut self, chances: usize) -> bool {
        self.below(chances) == 0
    }

    fn pick(&mut self, options: &[&str]) -> String {
        options[self.below(options.len())].to_owned()
    }

    fn some(&mut self, most: usize, mut item: impl FnMut(&mut Self) -> String) -> String {
        let count = 1 + self.below(most);
        (0..count).map(|_| item(self)).collect::<Vec<_>>().join(", ")
    }

    fn maybe(&mut self, chances: usize, text: impl FnOnce(&mut Self) -> String) -> String {
        if self.one_in(chances) { text(self) } else { String::new() }
    }

    // Queries.

    fn with(&mut self, depth: u32) -> String {
        let recursive = self.pick(&["", "RECURSIVE "]);
        let ctes = self.some(2, |g| {
            let name = g.name();
            let columns = g.maybe(3, |g| format!("({})", g.some(2, Self::name)));
            let hint = g.pick(&["", "", "MATERIALIZED ", "NOT MATERIALIZED "]);
            let query = g.query(depth.saturating_sub(1));
            let search =
                g.maybe(8, |g| format!(" SEARCH {} FIRST BY a, b SET s", g.pick(&["DEPTH", "BREADTH"])));
            let cycle =
                g.maybe(8, |g| format!(" CYCLE a, b SET c{} USING p", g.pick(&["", " TO 'x' DEFAULT 'y'"])));
            format!("{name}{columns} AS {hint}({query}){search}{cycle}")
        });
        format!("WITH {recursive}{ctes} ")
    }

    fn body(&mut self, depth: u32) -> String {
        match self.below(if depth == 0 { 3 } else { 8 }) {
            0 => format!("VALUES {}", self.some(2, |g| format!("({})", g.some(3, |g| g.expr(depth))))),
            1 => format!("TABLE {}", self.pick(&["t", "s.t", "ONLY t", "\"T x\""])),
            2 if depth > 0 => {
                let op =
                    self.pick(&["UNION", "UNION ALL", "INTERSECT", "INTERSECT ALL", "EXCEPT", "EXCEPT ALL"]);
                let (left, right) = (self.arm(depth - 1), self.arm(depth - 1));
                format!("{left} {op} {right}")
            }
            _ => self.select(depth),
        }
    }

    fn arm(&mut self, depth: u32) -> String {
        if self.one_in(2) { format!("({})", self.query(depth)) } else { self.body(depth) }
    }

    fn select(&mut self, depth: u32) -> String {
        let distinct = match self.below(8) {
            0 => "DISTINCT ".to_owned(),
            1 => format!("DISTINCT ON ({}) ", self.some(2, |g| g.expr(depth))),
            2 => "ALL ".to_owned(),
            _ => String::new(),
        };
        let targets = if self.one_in(20) { String::new() } else { self.some(3, |g| g.target(depth)) };
        let from = self.maybe(1, |g| format!(" FROM {}", g.some(2, |g| g.source(depth))));
        let condition = self.maybe(2, |g| format!(" WHERE {}", g.expr(depth)));
        let group = self.maybe(4, |g| g.group_by(depth));
        let having = self.maybe(5, |g| format!(" HAVING {}", g.expr(depth)));
        let window =
            self.maybe(6, |g| format!(" WINDOW w AS {}, w2 AS {}", g.window(depth), g.window(depth)));
        format!("SELECT {distinct}{targets}{from}{condition}{group}{having}{window}")
    }

    fn target(&mut self, depth: u32) -> String {
        match self.below(6) {
            0 => self.pick(&["*", "t.*", "s.t.*", "(t).*", "(t.c).*"]),
            1 => format!("{} AS {}", self.expr(depth), self.label()),
            2 => format!("({}) {}", self.expr(depth), self.name()),
            _ => self.expr(depth),
        }
    }

    fn group_by(&mut self, depth: u32) -> String {
        let distinct = self.pick(&["", "", "DISTINCT ", "ALL "]);
        let items = self.some(3, |g| match g.below(6) {
            0 => "()".to_owned(),
            1 => format!("ROLLUP ({}, ({}))", g.expr(depth), g.some(2, |g| g.expr(depth))),
            2 => format!("CUBE ({})", g.some(3, |g| g.expr(depth))),
            3 => format!(
                "GROUPING SETS (({}), (), ROLLUP (a), {})",
                g.some(2, |g| g.expr(depth)),
                g.expr(depth)
            ),
            _ => g.expr(depth),
        });
        format!(" GROUP BY {distinct}{items}")
    }

    fn tail(&mut self, depth: u32) -> String {
        let order = self.maybe(3, |g| format!(" ORDER BY {}", g.some(2, |g| g.sort(depth))));
        let limit = match self.below(10) {
            0 => format!(" LIMIT {}", self.expr(depth)),
            1 => " LIMIT ALL".to_owned(),
            2 => format!(" FETCH FIRST {} ROWS ONLY", self.pick(&["", "5", "(1 + 2)", "$1", "-1"])),
            3 if !order.is_empty() => {
                format!(" FETCH NEXT {} ROW WITH TIES", self.pick(&["", "5", "($1)", "(a IS NULL)"]))
            }
            _ => String::new(),
        };
        let offset = match self.below(8) {
            0 => format!(" OFFSET {}", self.expr(depth)),
            1 => " OFFSET 5 ROWS".to_owned(),
            _ => String::new(),
        };
        format!("{order}{limit}{offset}")
    }

    fn sort(&mut self, depth: u32) -> String {
        let direction = self.pick(&["", " ASC", " DESC", " USING <", " USING OPERATOR(pg_catalog.>)"]);
        let nulls = self.pick(&["", " NULLS FIRST", " NULLS LAST"]);
        format!("{}{direction}{nulls}", self.expr(depth))
    }

    fn window(&mut self, depth: u32) -> String {
        let name = self.maybe(5, |_| "w ".to_owned());
        let partition = self.maybe(2, |g| format!("PARTITION BY {} ", g.some(2, |g| g.expr(depth))));
        let order = self.maybe(2, |g| format!("ORDER BY {} ", g.some(2, |g| g.sort(depth))));
        let frame = self.maybe(2, |g| {
            let unit = g.pick(&["ROWS", "RANGE", "GROUPS"]);
            let start =
                g.pick(&["UNBOUNDED PRECEDING", "CURRENT ROW", "1 + 1 PRECEDING", "(a IS NULL) PRECEDING"]);
            let bounds = match g.below(3) {
                0 => start,
                1 => format!("BETWEEN {start} AND {} FOLLOWING", g.expr(0)),
                _ => format!("BETWEEN ({}) PRECEDING AND UNBOUNDED FOLLOWING", g.expr(depth)),
            };
            let exclude = g.pick(&[
                "",
                " EXCLUDE CURRENT ROW",
                " EXCLUDE GROUP",
                " EXCLUDE TIES",
                " EXCLUDE NO OTHERS",
            ]);
            format!("{unit} {bounds}{exclude}")
        });
        format!("({name}{partition}{order}{frame})")
    }

    // FROM.

    fn source(&mut self, depth: u32) -> String {
        if depth == 0 {
            return format!(
                "{}{}",
                self.pick(&["t", "s.t", "ONLY t", "t *", "c.s.t", "\"Order\""]),
                self.alias()
            );
        }
        let lateral = self.pick(&["", "", "LATERAL "]);
        let depth = depth - 1;
        match self.below(12) {
            0 | 1 => format!("{lateral}({}){}", self.query(depth), self.alias()),
            2 => format!(
                "{lateral}f({}){}{}",
                self.some(2, |g| g.expr(depth)),
                self.ordinality(),
                self.alias()
            ),
            3 => format!(
                "{lateral}f(a) {}",
                self.pick(&["AS (a int, b text COLLATE \"C\")", "AS x(a int, b numeric(3,1)[])"])
            ),
            4 => {
                let functions =
                    self.some(2, |g| format!("f({}){}", g.expr(depth), g.pick(&["", " AS (a int, b text)"])));
                format!("{lateral}ROWS FROM ({functions}){}{}", self.ordinality(), self.alias())
            }
            5 => {
                let repeatable = self.maybe(2, |g| format!(" REPEATABLE ({})", g.expr(depth)));
                format!(
                    "t{} TABLESAMPLE {}({}){repeatable}",
                    self.alias(),
                    self.pick(&["system", "s.m"]),
                    self.expr(depth)
                )
            }
            6 => self.xmltable(depth, &lateral),
            7 => self.json_table(depth),
            _ => self.join(depth),
        }
    }

    fn ordinality(&mut self) -> String {
        self.pick(&["", "", " WITH ORDINALITY"])
    }

    fn join(&mut self, depth: u32) -> String {
        let (left, right) = (self.source(depth), self.source(depth));
        let kind = self.pick(&["JOIN", "INNER JOIN", "LEFT JOIN", "RIGHT OUTER JOIN", "FULL JOIN"]);
        let join = match self.below(5) {
            0 => format!("{left} CROSS JOIN {right}"),
            1 => format!("{left} NATURAL {kind} {right}"),
            2 => format!(
                "{left} {kind} {right} USING ({}){}",
                self.some(2, Self::name),
                self.pick(&["", " AS u"])
            ),
            3 => format!("{left} {kind} ({right} CROSS JOIN t) ON {}", self.expr(depth)),
            _ => format!("{left} {kind} {right} ON {}", self.expr(depth)),
        };
        if self.one_in(3) { format!("({join}){}", self.alias()) } else { join }
    }

    fn xmltable(&mut self, depth: u32, lateral: &str) -> String {
        let namespaces =
            self.maybe(3, |g| format!("XMLNAMESPACES ('u' AS n, {}{}), ", g.pick(&["", "DEFAULT "]), "'d'"));
        let columns = self.some(3, |g| match g.below(3) {
            0 => format!("{} FOR ORDINALITY", g.name()),
            1 => format!(
                "{} {} PATH {} DEFAULT {} NOT NULL",
                g.name(),
                g.type_name(),
                g.primary(depth),
                g.primary(depth)
            ),
            _ => format!("{} {}", g.name(), g.type_name()),
        });
        let by = self.pick(&["", "BY REF ", "BY VALUE "]);
        let row = self.primary(depth);
        format!(
            "{lateral}XMLTABLE({namespaces}{row} PASSING {by}{} COLUMNS {columns}){}",
            self.primary(depth),
            self.alias()
        )
    }

    fn json_table(&mut self, depth: u32) -> String {
        let columns = self.json_columns(depth.min(1));
        let context = self.expr(depth);
        let passing = self.maybe(3, |g| format!(" PASSING {} AS x", g.expr(depth)));
        let name = self.maybe(3, |g| format!(" AS {}", g.name()));
        let error = self.pick(&["", " ERROR ON ERROR", " EMPTY ON ERROR", " EMPTY ARRAY ON ERROR"]);
        format!("JSON_TABLE({context}, '$'{name}{passing} COLUMNS ({columns}){error}){}", self.alias())
    }

    fn json_columns(&mut self, depth: u32) -> String {
        self.some(3, |g| match g.below(if depth == 0 { 4 } else { 5 }) {
            0 => format!("{} FOR ORDINALITY", g.name()),
            1 => format!(
                "{} {} EXISTS PATH '$.a'{}",
                g.name(),
                g.type_name(),
                g.pick(&["", " TRUE ON ERROR", " UNKNOWN ON ERROR"])
            ),
            2 => {
                let format = g.pick(&["", " FORMAT JSON"]);
                let wrapper = g.pick(&["", " WITH WRAPPER", " WITH CONDITIONAL WRAPPER", " WITHOUT WRAPPER"]);
                let quotes = if wrapper.is_empty() {
                    g.pick(&["", " KEEP QUOTES", " OMIT QUOTES ON SCALAR STRING"])
                } else {
                    String::new()
                };
                let behavior = g.json_behavior(0);
                format!("{} {}{format} PATH '$.b'{wrapper}{quotes}{behavior}", g.name(), g.type_name())
            }
            3 => format!("{} {}", g.name(), g.type_name()),
            _ => format!(
                "NESTED {} '$[*]'{} COLUMNS ({})",
                g.pick(&["", "PATH"]),
                g.pick(&["", " AS n"]),
                g.json_columns(0)
            ),
        })
    }

    fn alias(&mut self) -> String {
        match self.below(4) {
            0 => String::new(),
            1 => format!(" AS {}", self.name()),
            2 => format!(" {}", self.name()),
            _ => format!(" AS {}({})", self.name(), self.some(2, Self::name)),
        }
    }

    // Expressions.

    fn expr(&mut self, depth: u32) -> String {
        if depth == 0 {
            return self.atom();
        }
        let depth = depth - 1;
        let expr = match self.below(12) {
            0..=3 => self.operator(depth),
            4 | 5 => self.test(depth),
            6 => self.call(depth),
            7 => self.sublink(depth),
            8 => self.cast(depth),
            9 => self.constructor(depth),
            10 => self.json(depth),
            _ => self.xml_or_special(depth),
        };
        if self.one_in(3) { format!("({expr})") } else { expr }
    }

    /// An expression that can stand where the grammar wants a closed one.
    fn primary(&mut self, depth: u32) -> String {
        format!("({})", self.expr(depth))
    }

    /// An operand: closed two times out of three, otherwise as it comes (the grammar then may read another tree, or none).
    fn operand(&mut self, depth: u32) -> String {
        if self.one_in(3) { self.expr(depth) } else { self.primary(depth) }
    }

    fn atom(&mut self) -> String {
        match self.below(4) {
            0 | 1 => self.pick(&[
                "a",
                "t.a",
                "s.t.a",
                "\"A b\"",
                "\"select\"",
                "a[1]",
                "a[1:2]",
                "t.a[:]",
                "(t).c",
                "(t).c[1].d",
                "$1",
                "($2).c",
                "$3[1]",
                "U&\"d\\0061t\\+000061\"",
                "ä",
                "value",
                "name",
                "\"a\"\"b\"",
            ]),
            2 => self.pick(&[
                "1",
                "0",
                "-1",
                "- 1",
                "+1",
                "2147483648",
                "9223372036854775808",
                "1.5",
                ".5",
                "1e10",
                "1.5e-3",
                "0x1F",
                "0b11",
                "0o17",
                "1_000",
                "0xFFFFFFFFFFFFFFFF",
                "NULL",
                "true",
                "false",
                "'x'",
                "''",
                "'it''s'",
                "E'a\\n\\\\b'",
                "'back\\slash'",
                "$$d'q$$",
                "U&'\\0041'",
                "B'101'",
                "X'1F'",
                "N'n'",
                "'a' \n 'b'",
                "'ä☃'",
            ]),
            _ => self.pick(&[
                "current_date",
                "current_time(3)",
                "current_timestamp",
                "current_timestamp(0)",
                "localtime",
                "localtimestamp(2)",
                "current_user",
                "session_user",
                "user",
                "current_role",
                "current_catalog",
                "current_schema",
                "system_user",
                "date '2020-01-01'",
                "interval '1' day",
                "interval '1-2' year to month",
                "interval(3) '1 s'",
                "timestamp(3) with time zone 'x'",
                "pg_lsn '0/1'",
                "pg_catalog.int4 '1'",
                "numeric(3,1) '1'",
                "bit varying(3) '1'",
                "char 'a'",
                "time '10:00'",
                "double precision '1'",
                "bool 't'",
                "f()",
                "count(*)",
            ]),
        }
    }

    fn operator(&mut self, depth: u32) -> String {
        let (left, right) = (self.operand(depth), self.operand(depth));
        match self.below(8) {
            0 => format!("{left} AND {right}"),
            1 => format!("{left} OR {right}"),
            2 => format!("NOT {left}"),
            3 => format!(
                "{}{left}",
                self.pick(&["- ", "+ ", "~ ", "@ ", "|/ ", "OPERATOR(pg_catalog.-) ", "!! "])
            ),
            _ => {
                let op = self.pick(&[
                    "+",
                    "-",
                    "*",
                    "/",
                    "%",
                    "^",
                    "=",
                    "<>",
                    "!=",
                    "<",
                    ">=",
                    "||",
                    "->",
                    "->>",
                    "@>",
                    "<->",
                    "~",
                    "!~*",
                    "&&",
                    "|",
                    "#",
                    "<<",
                    "OPERATOR(pg_catalog.+)",
                    "OPERATOR(s.<=)",
                    "?",
                    "?|",
                    "@@",
                    "-|-",
                    "~~",
                    "!~~*",
                ]);
                format!("{left} {op} {right}")
            }
        }
    }

    fn test(&mut self, depth: u32) -> String {
        let operand = self.operand(depth);
        let not = self.pick(&["", "NOT "]);
        match self.below(12) {
            0 => format!("{operand} IS {not}NULL"),
            1 => format!("{operand} IS {not}{}", self.pick(&["TRUE", "FALSE", "UNKNOWN"])),
            2 => format!("{operand} IS {not}DISTINCT FROM {}", self.operand(depth)),
            3 => format!(
                "{operand} {not}BETWEEN {}{} AND {}",
                self.pick(&["", "SYMMETRIC "]),
                self.operand(depth),
                self.operand(depth)
            ),
            4 => format!("{operand} {not}IN ({})", self.some(3, |g| g.expr(depth))),
            5 => {
                let escape = self.maybe(3, |g| format!(" ESCAPE {}", g.operand(depth)));
                format!(
                    "{operand} {not}{} {}{escape}",
                    self.pick(&["LIKE", "ILIKE", "SIMILAR TO"]),
                    self.operand(depth)
                )
            }
            6 => {
                let op =
                    self.pick(&["=", "<>", "<", "OPERATOR(pg_catalog.=)", "LIKE", "NOT ILIKE", "~", "+"]);
                format!("{operand} {op} {} ({})", self.pick(&["ANY", "ALL", "SOME"]), self.expr(depth))
            }
            7 => format!("{operand} COLLATE {}", self.pick(&["\"C\"", "pg_catalog.\"en_US\"", "x"])),
            8 => format!(
                "{operand} AT {}",
                self.pick(&["TIME ZONE 'UTC'", "LOCAL", "TIME ZONE (a || b)", "TIME ZONE a.b"])
            ),
            9 => format!(
                "({}, {}) OVERLAPS ({}, {operand})",
                self.expr(depth),
                self.expr(depth),
                self.expr(depth)
            ),
            10 => format!(
                "{operand} IS {not}{}",
                self.pick(&["NORMALIZED", "NFC NORMALIZED", "NFKD NORMALIZED", "DOCUMENT"])
            ),
            _ => format!("{operand} {}", self.pick(&["ISNULL", "NOTNULL"])),
        }
    }

    fn call(&mut self, depth: u32) -> String {
        let name = self.pick(&[
            "f",
            "count",
            "pg_catalog.lower",
            "s.\"F g\"",
            "coalesce",
            "left",
            "\"overlay\"",
            "pg_catalog.timezone",
            "greatest",
        ]);
        let args = match self.below(7) {
            0 if name != "coalesce" && name != "greatest" => "*".to_owned(),
            1 if name != "coalesce" && name != "greatest" => format!("DISTINCT {}", self.expr(depth)),
            2 if name != "coalesce" && name != "greatest" => {
                format!("{}, VARIADIC {}", self.expr(depth), self.expr(depth))
            }
            3 if name != "coalesce" && name != "greatest" => {
                format!("{}, n => {}, m := {}", self.expr(depth), self.expr(depth), self.expr(depth))
            }
            4 if name != "coalesce" && name != "greatest" => {
                format!("{} ORDER BY {}", self.expr(depth), self.some(2, |g| g.sort(depth)))
            }
            _ => self.some(3, |g| g.expr(depth)),
        };
        if name == "coalesce" || name == "greatest" {
            return format!("{name}({args})");
        }
        let within = self.maybe(8, |g| format!(" WITHIN GROUP (ORDER BY {})", g.sort(depth)));
        let args = if within.is_empty() { args } else { self.expr(depth) };
        let filter = self.maybe(5, |g| format!(" FILTER (WHERE {})", g.expr(depth)));
        let over = match self.below(6) {
            0 => " OVER w".to_owned(),
            1 => format!(" OVER {}", self.window(depth)),
            _ => String::new(),
        };
        format!("{name}({args}){within}{filter}{over}")
    }

    fn sublink(&mut self, depth: u32) -> String {
        let query = self.query(depth);
        match self.below(8) {
            0 => format!("EXISTS ({query})"),
            1 => format!("ARRAY({query})"),
            2 => format!("{} {}IN ({query})", self.operand(depth), self.pick(&["", "NOT "])),
            3 => format!(
                "{} {} {} ({query})",
                self.operand(depth),
                self.pick(&["=", "<", "OPERATOR(s.~)", "LIKE"]),
                self.pick(&["ANY", "ALL"])
            ),
            4 => format!("({}, {}) = ({query})", self.expr(depth), self.expr(depth)),
            5 => format!("({query})[1]"),
            6 => format!("({query}).a"),
            _ => format!("({query})"),
        }
    }

    fn cast(&mut self, depth: u32) -> String {
        let ty = self.type_name();
        let operand = self.operand(depth);
        match self.below(4) {
            0 => format!("CAST({operand} AS {ty})"),
            1 => format!("{operand}::{ty}::{}", self.type_name()),
            _ => format!("{operand}::{ty}"),
        }
    }

    fn type_name(&mut self) -> String {
        self.pick(&[
            "int",
            "bigint",
            "smallint",
            "text",
            "varchar",
            "varchar(10)",
            "char",
            "char(3)",
            "\"char\"",
            "bpchar",
            "numeric",
            "numeric(10,2)",
            "numeric(10,-2)",
            "float",
            "float(10)",
            "real",
            "double precision",
            "bool",
            "date",
            "time",
            "time(3)",
            "time with time zone",
            "timestamp",
            "timestamp(2) without time zone",
            "timestamptz",
            "timestamp(6) with time zone",
            "interval",
            "interval(2)",
            "interval year to month",
            "interval day to second(3)",
            "interval hour",
            "interval second(3)",
            "bit",
            "bit(3)",
            "bit varying",
            "bit varying(5)",
            "json",
            "jsonb",
            "xml",
            "uuid",
            "int[]",
            "int[3]",
            "int array",
            "int array[3]",
            "text[][]",
            "s.t",
            "s.\"T y\"",
            "pg_catalog.int4",
            "pg_catalog.\"char\"",
            "regclass",
            "s.t(1, 2)",
            "t%rowtype_not",
            "nchar(2)",
            "national character varying(3)",
            "dec(3)",
            "oid",
            "pg_catalog.interval",
            "pg_catalog.bpchar(3)",
            "pg_catalog.bpchar",
            "pg_catalog.bpchar[]",
            "pg_catalog.varchar",
            "setof_t",
        ])
        .replace("t%rowtype_not", "citext")
    }

    fn constructor(&mut self, depth: u32) -> String {
        match self.below(9) {
            0 => format!("ARRAY[{}]", self.some(3, |g| g.expr(depth))),
            1 => format!("ARRAY[[{}], [{}]]", self.expr(depth), self.expr(depth)),
            2 => self.pick(&["ARRAY[]", "ARRAY[]::int[]", "ROW()"]),
            3 => format!("ROW({})", self.some(3, |g| g.expr(depth))),
            4 => format!("({}, {})", self.expr(depth), self.expr(depth)),
            5 => {
                let arms = (0..=self.below(2))
                    .map(|_| format!(" WHEN {} THEN {}", self.expr(depth), self.expr(depth)))
                    .collect::<String>();
                let subject = self.maybe(2, |g| format!(" {}", g.expr(depth)));
                let otherwise = self.maybe(2, |g| format!(" ELSE {}", g.expr(depth)));
                format!("CASE{subject}{arms}{otherwise} END")
            }
            6 => format!("NULLIF({}, {})", self.expr(depth), self.expr(depth)),
            7 => format!(
                "{}[{}]{}",
                self.primary(depth),
                self.expr(depth),
                self.pick(&["", ".f", "[1:]", "[:2].f"])
            ),
            _ => format!("{}{}", self.primary(depth), self.pick(&[".f", ".\"F g\"", ".f.g", ".f[2]"])),
        }
    }

    fn json(&mut self, depth: u32) -> String {
        let nulls = self.pick(&["", " NULL ON NULL", " ABSENT ON NULL"]);
        let unique = self.pick(&["", " WITH UNIQUE KEYS", " WITHOUT UNIQUE"]);
        let returning = self.pick(&[
            "",
            "",
            " RETURNING text",
            " RETURNING jsonb",
            " RETURNING bytea FORMAT JSON ENCODING UTF8",
        ]);
        let value = format!("{}{}", self.expr(depth), self.pick(&["", "", " FORMAT JSON"]));
        match self.below(12) {
            0 => format!(
                "JSON_OBJECT({} {} {value}{nulls}{unique}{returning})",
                self.primary(depth),
                self.pick(&[":", "VALUE"])
            ),
            1 => format!("JSON_ARRAY({value}, {}{nulls}{returning})", self.expr(depth)),
            2 => format!("JSON_ARRAY({}{returning})", self.query(depth)),
            3 => {
                let filter = self.maybe(3, |g| format!(" FILTER (WHERE {})", g.expr(depth)));
                format!("JSON_OBJECTAGG({} : {value}{nulls}{unique}{returning}){filter}", self.primary(depth))
            }
            4 => {
                let order = self.maybe(3, |g| format!(" ORDER BY {}", g.sort(depth)));
                format!(
                    "JSON_ARRAYAGG({value}{order}{nulls}{returning}){}",
                    self.pick(&["", " OVER w", " OVER (PARTITION BY a)"])
                )
            }
            5 => format!("JSON({value}{unique})"),
            6 => format!("JSON_SCALAR({})", self.expr(depth)),
            7 => format!("JSON_SERIALIZE({value}{returning})"),
            8 => {
                let kind = self.pick(&["", " VALUE", " ARRAY", " OBJECT", " SCALAR"]);
                format!("{} IS {}JSON{kind}{unique}", self.operand(depth), self.pick(&["", "NOT "]))
            }
            9 => {
                let passing =
                    self.maybe(3, |g| format!(" PASSING {} AS x, {} AS y", g.expr(depth), g.expr(depth)));
                let behavior = self.json_behavior(depth);
                format!(
                    "JSON_VALUE({value}, {}{passing}{}{behavior})",
                    self.json_path(depth),
                    self.pick(&["", " RETURNING int"])
                )
            }
            10 => {
                let wrapper = self.pick(&[
                    "",
                    " WITH WRAPPER",
                    " WITH UNCONDITIONAL ARRAY WRAPPER",
                    " WITHOUT WRAPPER",
                ]);
                let quotes = if wrapper.is_empty() {
                    self.pick(&["", " KEEP QUOTES", " OMIT QUOTES"])
                } else {
                    String::new()
                };
                let behavior = self.json_behavior(depth);
                format!(
                    "JSON_QUERY({value}, {}{returning}{wrapper}{quotes}{behavior})",
                    self.json_path(depth)
                )
            }
            _ => format!(
                "JSON_EXISTS({value}, {}{})",
                self.json_path(depth),
                self.pick(&["", " TRUE ON ERROR", " ERROR ON ERROR"])
            ),
        }
    }

    fn json_path(&mut self, depth: u32) -> String {
        if self.one_in(3) { self.expr(depth) } else { "'$.a'".to_owned() }
    }

    fn json_behavior(&mut self, depth: u32) -> String {
        match self.below(5) {
            0 => format!(" DEFAULT {} ON EMPTY", self.expr(depth)),
            1 => format!(" NULL ON EMPTY DEFAULT {} ON ERROR", self.expr(depth)),
            2 => " ERROR ON ERROR".to_owned(),
            3 => " EMPTY ARRAY ON EMPTY EMPTY OBJECT ON ERROR".to_owned(),
            _ => String::new(),
        }
    }

    fn xml_or_special(&mut self, depth: u32) -> String {
        let x = self.expr(depth);
        let y = self.expr(depth);
        match self.below(16) {
            0 => format!("XMLELEMENT(NAME e, XMLATTRIBUTES({x} AS a, b), {y})"),
            1 => format!("XMLFOREST({x} AS f, {y} AS \"G h\")"),
            2 => format!("XMLCONCAT({x}, {y})"),
            3 => format!(
                "XMLPARSE({} {x}{})",
                self.pick(&["DOCUMENT", "CONTENT"]),
                self.pick(&["", " STRIP WHITESPACE"])
            ),
            4 => format!("XMLPI(NAME p, {x})"),
            5 => format!(
                "XMLROOT({x}, VERSION {}{})",
                self.pick(&["NO VALUE", "'1.0'"]),
                self.pick(&["", ", STANDALONE YES", ", STANDALONE NO VALUE"])
            ),
            6 => format!(
                "XMLSERIALIZE({} {x} AS {}{})",
                self.pick(&["DOCUMENT", "CONTENT"]),
                self.type_name(),
                self.pick(&["", " INDENT", " NO INDENT"])
            ),
            7 => format!(
                "XMLEXISTS({} PASSING {}{})",
                self.primary(depth),
                self.pick(&["", "BY REF ", "BY VALUE "]),
                self.primary(depth)
            ),
            8 => format!(
                "EXTRACT({} FROM {x})",
                self.pick(&["year", "'epoch'", "second", "julian", "\"a b\""])
            ),
            9 => format!("OVERLAY({x} PLACING {y} FROM {}{})", self.expr(depth), self.pick(&["", " FOR 3"])),
            10 => format!("POSITION({} IN {})", self.primary(depth), self.primary(depth)),
            11 => format!(
                "SUBSTRING({x}{})",
                self.pick(&[
                    " FROM 1",
                    " FOR 2",
                    " FROM 1 FOR 2",
                    " FROM 'a' FOR '#'",
                    " SIMILAR 'a' ESCAPE '#'",
                    ", 1"
                ])
            ),
            12 => format!(
                "TRIM({})",
                self.pick(&["LEADING 'x' FROM a", "TRAILING FROM a", "BOTH a FROM b", "FROM a", "a, b", "a"])
            ),
            13 => format!("NORMALIZE({x}{})", self.pick(&["", ", NFC", ", NFKD"])),
            14 => format!("COLLATION FOR ({x})"),
            _ => format!(
                "{}({x}, {y})",
                self.pick(&["LEAST", "GREATEST", "COALESCE", "GROUPING", "TREAT_NOT"])
            ),
        }
    }

    // Names.

    fn name(&mut self) -> String {
        self.pick(&[
            "a",
            "b",
            "c1",
            "_x",
            "\"A b\"",
            "\"select\"",
            "\"a\"\"b\"",
            "ä",
            "value",
            "\"\u{2603}\"",
            "text",
            "\"interval\"",
        ])
    }

    fn label(&mut self) -> String {
        self.pick(&["a", "select", "\"Select\"", "from", "x1", "\"?column?\"", "year", "value", "end"])
    }
}
