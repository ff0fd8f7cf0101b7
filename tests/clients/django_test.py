"""Django's introspection, `inspectdb`, and ORM reads. The environment says where."""

import io
import os

import django
from django.conf import settings

settings.configure(
    SECRET_KEY="of a test",
    INSTALLED_APPS=["shop"],
    USE_TZ=True,
    TIME_ZONE="UTC",
    DEFAULT_AUTO_FIELD="django.db.models.AutoField",
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "HOST": os.environ["PGHOST"],
            "PORT": os.environ["PGPORT"],
            "NAME": os.environ["PGDATABASE"],
            "USER": os.environ["PGUSER"],
            "PASSWORD": os.environ["PGPASSWORD"],
        }
    },
)
django.setup()

from django.core.management import call_command
from django.db import connection, transaction
from django.db.models import Count, Exists, F, Max, OuterRef, Q, Sum, Window
from django.db.models.functions import RowNumber, TruncMonth

from shop.models import Customer, Order
from told import tell


def inspected(**options):
    def run():
        text = io.StringIO()
        call_command("inspectdb", stdout=text, **options)
        return text.getvalue()

    return run


introspection = connection.introspection
with connection.cursor() as cursor:
    tell("tables", lambda: sorted(introspection.get_table_list(cursor)))
    tell("names", lambda: introspection.table_names(cursor, include_views=True))
    for table in ("customers", "orders", "events"):
        tell(f"columns of {table}", lambda: introspection.get_table_description(cursor, table))
        tell(f"sequences of {table}", lambda: introspection.get_sequences(cursor, table))
        tell(f"relations of {table}", lambda: introspection.get_relations(cursor, table))
        tell(f"constraints of {table}", lambda: sorted(introspection.get_constraints(cursor, table).items()))
        tell(f"key of {table}", lambda: introspection.get_primary_key_columns(cursor, table))
tell("inspectdb", inspected())
tell("inspectdb with views", inspected(include_views=True, include_partitions=True))

customers, orders = Customer.objects, Order.objects
tell("all", lambda: list(customers.order_by("id").values()))
tell("get", lambda: customers.get(pk=1).email)
tell("first", lambda: customers.filter(pk=2).first())
tell("count", lambda: (customers.count(), orders.count()))
tell("exists", lambda: customers.filter(pk=1).exists())
tell("contains", lambda: customers.filter(name__contains="a").count())
tell("icontains", lambda: customers.filter(name__icontains="A").count())
tell("iexact", lambda: customers.filter(name__iexact="a").count())
tell("startswith", lambda: customers.filter(name__startswith="A").count())
tell("in", lambda: customers.filter(pk__in=[1, 2]).count())
tell("or", lambda: customers.filter(Q(region="EU") | Q(region__isnull=True)).count())
tell("regex", lambda: customers.filter(name__regex="^A").count())
tell("related", lambda: [(o.pk, o.customer and o.customer.name) for o in orders.select_related("customer").order_by("pk")[:4]])
tell("prefetched", lambda: [(c.pk, c.order_set.count()) for c in customers.prefetch_related("order_set").order_by("pk")])
tell("grouped", lambda: list(customers.values("region").annotate(n=Count("order"), s=Sum("order__amount")).order_by("region")))
tell("counted", lambda: list(customers.annotate(n=Count("order")).filter(n__gt=0).order_by("pk").values_list("pk", "n")))
tell("months", lambda: list(orders.annotate(m=TruncMonth("ordered_at")).values("m").annotate(Count("pk")).order_by("m")[:3]))
tell("dates", lambda: list(orders.dates("ordered_at", "year")))
tell("subquery", lambda: customers.filter(Exists(orders.filter(customer=OuterRef("pk"), amount__gt=100))).count())
tell("aggregate", lambda: orders.aggregate(Max("amount"), Sum("amount")))
tell("expression", lambda: orders.filter(amount__gt=F("id") * 2).count())


def iterated():
    with transaction.atomic():
        return [order.pk for order in orders.order_by("pk").iterator(chunk_size=100)][-1]


tell("iterator", iterated)
tell("iterator outside of a transaction", lambda: [order.pk for order in orders.order_by("pk").iterator(chunk_size=100)][-1])
tell("bulk", lambda: sorted(orders.in_bulk([1, 2])))
tell("union", lambda: customers.filter(pk=1).union(customers.filter(pk=2)).count())
tell("window", lambda: [o.n for o in orders.annotate(n=Window(RowNumber(), partition_by="status", order_by="id")).order_by("pk")[:4]])
tell("year", lambda: orders.filter(ordered_at__year=2025).count())
tell("day", lambda: orders.filter(ordered_at__date="2025-02-01").count())
tell("raw", lambda: [customer.name for customer in customers.raw("select * from customers order by id limit 2")])


def nested():
    with transaction.atomic():
        with transaction.atomic():
            return customers.count()


tell("nested", nested)
