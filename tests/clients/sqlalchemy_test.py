"""SQLAlchemy's reflection and ORM reads, by the driver named on the command line. The environment says where."""

import os
import sys
from datetime import datetime
from decimal import Decimal

from sqlalchemy import CHAR, URL, DateTime, ForeignKey, MetaData, create_engine, exists, func, inspect, select, text
from sqlalchemy.engine.reflection import ObjectKind
from sqlalchemy.ext.automap import automap_base
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, joinedload, mapped_column, relationship, selectinload

from told import tell

engine = create_engine(
    URL.create(
        f"postgresql+{sys.argv[1]}",
        os.environ["PGUSER"],
        os.environ["PGPASSWORD"],
        os.environ["PGHOST"],
        int(os.environ["PGPORT"]),
        os.environ["PGDATABASE"],
    )
)
ONE_TABLE = [
    "get_columns",
    "get_pk_constraint",
    "get_foreign_keys",
    "get_indexes",
    "get_unique_constraints",
    "get_check_constraints",
    "get_table_comment",
    "get_table_options",
]
MANY_TABLES = [
    "get_multi_columns",
    "get_multi_pk_constraint",
    "get_multi_foreign_keys",
    "get_multi_indexes",
    "get_multi_unique_constraints",
    "get_multi_check_constraints",
    "get_multi_table_comment",
    "get_multi_table_options",
]
NAMES = [
    "get_schema_names",
    "get_table_names",
    "get_view_names",
    "get_materialized_view_names",
    "get_temp_table_names",
    "get_temp_view_names",
    "get_sequence_names",
    "get_enums",
    "get_domains",
    "get_foreign_table_names",
]


def sorted_items(answer):
    return sorted((key, repr(value)) for key, value in answer.items())


inspector = inspect(engine)
for name in NAMES:
    tell(name, lambda: sorted(getattr(inspector, name)(), key=repr))
for schema in (None, "public"):
    for name in MANY_TABLES:
        tell(f"{name} of {schema}", lambda: sorted_items(getattr(inspector, name)(schema=schema)))
    tell(f"of any kind in {schema}", lambda: sorted_items(inspector.get_multi_columns(schema=schema, kind=ObjectKind.ANY)))
for table in ("customers", "orders"):
    for name in ONE_TABLE:
        tell(f"{name} of {table}", lambda: getattr(inspector, name)(table))
    tell(f"{table} is there", lambda: inspector.has_table(table))
    tell(f"{table} has the index", lambda: inspector.has_index(table, "orders_customer_id"))
tell("a sequence is not there", lambda: inspector.has_sequence("nothing"))
tell("a schema is there", lambda: inspector.has_schema("public"))


def reflected():
    metadata = MetaData()
    metadata.reflect(engine, views=True)
    return sorted((name, [repr(column) for column in table.columns]) for name, table in metadata.tables.items())


tell("reflect", reflected)


def automapped():
    base = automap_base()
    base.prepare(autoload_with=engine)
    return sorted(base.classes.keys()), [relationship.key for relationship in inspect(base.classes.orders).relationships]


tell("automap", automapped)


class Base(DeclarativeBase):
    pass


class Customer(Base):
    __tablename__ = "customers"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    region: Mapped[str]
    email: Mapped[str]
    ssn: Mapped[str] = mapped_column(CHAR(11))
    salary: Mapped[Decimal | None]
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    orders: Mapped[list["Order"]] = relationship(back_populates="customer")


class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customers.id"))
    amount: Mapped[Decimal]
    status: Mapped[str]
    customer: Mapped[Customer] = relationship(back_populates="orders")


def in_session(ask):
    def run():
        with Session(engine) as session:
            return ask(session)

    return run


def row_of(entity):
    return [getattr(entity, column.key) for column in entity.__table__.columns]


tell("one", in_session(lambda s: row_of(s.execute(select(Customer).where(Customer.id == 1)).scalar_one())))
tell("get", in_session(lambda s: row_of(s.get(Customer, 3))))
tell("get none", in_session(lambda s: s.get(Customer, 2)))
tell("lazy", in_session(lambda s: sorted(o.amount for o in s.get(Customer, 1).orders)))
tell(
    "group",
    in_session(
        lambda s: s.execute(
            select(Customer.region, func.count(Order.id), func.sum(Order.amount))
            .join(Order, Order.customer_id == Customer.id)
            .group_by(Customer.region)
            .order_by(Customer.region)
        ).all()
    ),
)
tell(
    "joined",
    in_session(
        lambda s: [
            (order.id, order.customer and order.customer.name)
            for order in s.execute(select(Order).options(joinedload(Order.customer)).order_by(Order.id).limit(4)).scalars()
        ]
    ),
)
tell(
    "select in",
    in_session(
        lambda s: [
            (customer.id, sorted(order.id for order in customer.orders))
            for customer in s.execute(
                select(Customer).options(selectinload(Customer.orders)).order_by(Customer.id)
            ).scalars()
        ]
    ),
)
tell("exists", in_session(lambda s: s.execute(select(exists().where(Customer.id == 1))).scalar()))
tell("in", in_session(lambda s: s.execute(select(Customer.name).where(Customer.id.in_([1, 2, 3])).order_by(Customer.id)).all()))
tell("ilike", in_session(lambda s: s.execute(select(Customer.id).where(Customer.name.ilike("%a%"))).all()))
tell(
    "window",
    in_session(
        lambda s: s.execute(
            select(Order.id, func.row_number().over(partition_by=Order.status, order_by=Order.id)).order_by(Order.id).limit(4)
        ).all()
    ),
)
tell("any", in_session(lambda s: s.query(Customer).filter(Customer.orders.any(Order.amount > 100)).count()))
tell("page", in_session(lambda s: s.execute(select(Order.id, Order.amount).order_by(Order.amount.desc(), Order.id).offset(5).limit(5)).all()))


def streamed():
    with engine.connect() as connection:
        lazy = connection.execution_options(stream_results=True, yield_per=2)
        return [row[0] for row in lazy.execute(text("select id from orders order by id limit 7"))]


def isolated(level):
    with engine.connect().execution_options(isolation_level=level) as connection:
        return connection.execute(text("select count(*) from customers")).scalar(), connection.get_isolation_level()


def nested():
    with Session(engine) as session:
        with session.begin_nested():
            first = session.execute(text("select count(*) from customers")).scalar()
        session.commit()
        return first


tell("streamed", streamed)
tell("autocommit", lambda: isolated("AUTOCOMMIT"))
tell("repeatable read", lambda: isolated("REPEATABLE READ"))
tell("savepoint", nested)
