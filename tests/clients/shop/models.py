"""The store `crm` as Django's models: the tables and columns that the caller of the tests sees."""

from django.db import models


class Customer(models.Model):
    id = models.IntegerField(primary_key=True)
    name = models.TextField(null=True)
    region = models.TextField(null=True)
    email = models.TextField(null=True)
    salary = models.DecimalField(max_digits=10, decimal_places=2, null=True)
    created_at = models.DateTimeField(null=True)

    class Meta:
        managed = False
        db_table = "customers"


class Order(models.Model):
    id = models.IntegerField(primary_key=True)
    customer = models.ForeignKey(Customer, models.DO_NOTHING, null=True)
    amount = models.DecimalField(max_digits=10, decimal_places=2, null=True)
    status = models.TextField(null=True)
    ordered_at = models.DateTimeField(null=True)

    class Meta:
        managed = False
        db_table = "orders"
