-- Added to the store `crm` before the tests with clients: what the caller must never hear of, beside what is there already,
-- under names that occur nowhere else. `alice` is who the callers' names are to the twin of the store.

create role alice login in role pg_read_all_data;

comment on table customers is 'Who buys.';
comment on column customers.name is 'The full name.';
comment on column customers.internal_label is 'qvhidden comment of a column';
comment on table employees is 'qvhidden comment of a table';

create index qvhidden_label on customers (internal_label);
create index customers_region on customers (region);
alter table customers add constraint qvhidden_check check (internal_label <> 'qvhidden constant');
alter table customers add constraint region_is_short check (length(region) < 100);
alter table customers alter internal_label set default 'qvhidden default';
alter table orders alter status set default 'open';
alter table orders add constraint orders_once unique (id, customer_id);

create table qvhidden_vault (
    id             int primary key,
    customer_id    int references customers,
    qvhidden_words text not null default 'qvhidden words'
);
create index qvhidden_vault_words on qvhidden_vault (qvhidden_words);
insert into qvhidden_vault values (1, 1, 'qvhidden row');

create schema qvhidden_schema;
create table qvhidden_schema.qvhidden_other (id int, customer_id int references public.customers);

analyze;
