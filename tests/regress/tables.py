"""Rows for the tables that Postgres's regression tests fill from data files: made here, by formula."""

import math

# The string4 column of the Wisconsin benchmark.
STRING4 = ("AAAAxx", "HHHHxx", "OOOOxx", "VVVVxx")


def copied(table):
    """The lines that `COPY table FROM` a file would have read, or None where no such table is known."""
    make = MADE.get(table.lower())
    if make is None:
        return None
    return "".join("\t".join(escaped(field) for field in row) + "\n" for row in make())


def wisconsin(count):
    """The Wisconsin benchmark: unique1 is a permutation, the other columns follow from it and from unique2."""
    for unique2 in range(count):
        unique1 = (unique2 * 7919 + 8800) % count
        yield (
            unique1, unique2, unique1 % 2, unique1 % 4, unique1 % 10, unique1 % 20, unique1 % 100, unique1 % 1000,
            unique1 % 2000, unique1 % 5000, unique1, unique1 % 100 * 2, unique1 % 100 * 2 + 1,
            letters(unique1), letters(unique2), STRING4[unique2 % 4],
        )  # fmt: skip


def letters(number):
    return chr(65 + number % 26) + chr(65 + number // 26 % 26) + chr(65 + number // 676 % 26) + "AAA"


def point(number):
    return f"({number * 37 % 100 / 10},{number * 53 % 100 / 10})"


def persons(first, count, *further):
    names = ("mike", "joe", "sally", "sandra", "alex", "sue", "denise", "sarah", "teresa", "nan", "leah", "wendy")
    for number in range(first, first + count):
        name = names[number % len(names)] + ("" if number < len(names) else str(number))
        yield (name, 8 + number * 7 % 90, point(number), *(each(number) for each in further))


def salary(number):
    return 400 + number * 130 % 1500


def manager(number):
    return ("sharon", "bob", "mike")[number % 3]


def grade(number):
    return f"{number * 3 % 40 / 10}"


def roads():
    for number in range(300):
        name = (f"I- {number % 30 * 10 + 80}", f"State Hwy {number % 40}", f"{letters(number)} Ave", f"{number}th St")[number % 4]
        corners = [f"({-122 + math.sin(number + corner) / 3:.4f},{37 + math.cos(number * corner + 1) / 3:.4f})" for corner in range(2 + number % 6)]
        yield (name, "[" + ",".join(corners) + "]")


def hashes(value):
    for number in range(10000):
        yield (number * 7919 % 1000003, value(number))


def by_letters(count):
    return ((letters(number), number) for number in range(count))


def arrays():
    for number in range(1, 101):
        integers = [str(number * step * 13 % 102) for step in range(1, number % 9)]
        texts = ["AAAA" + "A" * (number * step % 9) + str(number * step * 7 % 100000) for step in range(1, number % 7)]
        yield (number, "{" + ",".join(integers) + "}", "{" + ",".join(texts) + "}")


def documents():
    for number in range(1000):
        fields = [f'"line":{number}']
        if number % 3 == 0:
            fields.append(f'"node":"{"CBA"[number % 9 // 3]}"')
        if number % 4 == 0:
            fields.append(f'"wait":"{("CC", "AB", "AA")[number % 5 % 3]}"' if number % 5 else '"wait":null')
        if number % 5 < 3:
            fields.append(f'"status":{number % 17}')
        if number % 7 == 0:
            fields.append('"public":' + ("true" if number % 2 else "false"))
        if number % 11 == 0:
            fields.append(f'"age":{number % 40}, "array":["foo", {number % 3}], "title":"word{number % 6}"')
        yield ("{" + ", ".join(fields) + "}",)


def vectors():
    for number in range(508):
        yield ("text" + str(number), " ".join(f"'{letters(number * step % 700)[:2].lower()}':{step}" for step in range(1, 2 + number % 20)))


def boxes(count):
    for number in range(count):
        x, y = number * 7919 % 50000, number * 104729 % 50000
        yield (f"({x + number % 90 + 1},{y + number % 70 + 1}),({x},{y})",)


def descending(count):
    for number in range(count):
        yield (count - number, letters(count - number).lower())


MADE = {
    "aggtest": lambda: ((number * 37 % 101, f"{number * 1.5625 + 0.25}") for number in (0, 42, 56, 100)),
    "onek": lambda: wisconsin(1000),
    "tenk1": lambda: wisconsin(10000),
    "person": lambda: persons(0, 50),
    "emp": lambda: persons(50, 3, salary, manager),
    "student": lambda: persons(53, 2, grade),
    "stud_emp": lambda: persons(55, 3, salary, manager, grade, lambda number: number % 100),
    "road": roads,
    "hash_i4_heap": lambda: hashes(lambda number: number * 104729 % 1000003),
    "hash_name_heap": lambda: hashes(letters),
    "hash_txt_heap": lambda: hashes(letters),
    "hash_f8_heap": lambda: hashes(lambda number: number * 1.5),
    "array_op_test": arrays,
    "array_index_op_test": arrays,
    "testjsonb": documents,
    "test_tsvector": vectors,
    "slow_emp4000": lambda: boxes(4000),
    "fast_emp4000": lambda: boxes(4000),
    "bt_i4_heap": lambda: hashes(lambda number: number * 104729 % 1000003),
    "bt_name_heap": lambda: by_letters(10000),
    "bt_txt_heap": lambda: by_letters(10000),
    "bt_f8_heap": lambda: ((number * 1.5, number) for number in range(10000)),
    "real_city": lambda: ((number * 1000, letters(number), "((0,0),(1,1),(2,0))") for number in range(20)),
}


def escaped(field):
    return str(field).replace("\\", "\\\\")
