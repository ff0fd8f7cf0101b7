-- The demo's policy as native row security says it: for each caller a role of its own that the policies of the tables name,
-- and a schema of masking views that this role owns and the caller's login reads. Masks are written here a second time,
-- by hand, so that a mistake of the gateway's is not repeated.

alter table customers enable row level security;
alter table orders enable row level security;
alter table employees enable row level security;
alter table events enable row level security;

create function masked_email(email text, keep int) returns text immutable parallel safe language sql as $$
    select case
        when array_length(string_to_array(email, '@'), 1) = 2 and split_part(email, '@', 1) <> '' and split_part(email, '@', 2) <> ''
        then left(email, keep) || '***@' || split_part(email, '@', 2)
        else regexp_replace(email, '.', '*', 'gs') end
$$;
create function first_kept(value text, keep int) returns text immutable parallel safe language sql as $$
    select case when length(value) > keep then left(value, keep) || regexp_replace(substr(value, keep + 1), '.', '*', 'gs')
        else regexp_replace(value, '.', '*', 'gs') end
$$;
create function last_kept(value text, keep int) returns text immutable parallel safe language sql as $$
    select case when length(value) > keep then regexp_replace(left(value, -keep), '.', '*', 'gs') || right(value, keep)
        else regexp_replace(value, '.', '*', 'gs') end
$$;

create role parity_alice; create role parity_bob; create role parity_trainer; create role parity_agent;
grant select on customers, orders, employees, events to parity_alice, parity_bob, parity_trainer, parity_agent;
create policy alice_rows on customers for select to parity_alice using (region = 'EU');
create policy bob_rows on customers for select to parity_bob using (true);
create policy trainer_rows on customers for select to parity_trainer using (consent_training);
create policy alice_rows on orders for select to parity_alice, parity_bob using (true);
create policy agent_rows on orders for select to parity_agent using (status = 'paid');
create policy bob_rows on employees for select to parity_bob using (true);
create policy all_rows on events for select to parity_alice, parity_bob, parity_agent using (true);

create schema alice;
create view alice.customers with (security_barrier) as
    select id, first_kept(name, 1) as name, region, masked_email(email, 1) as email, last_kept(ssn, 4)::char(11) as ssn,
           null::numeric(10,2) as salary, consent_training, notes, created_at from public.customers;
create view alice.orders with (security_barrier) as select * from public.orders;
create view alice.events with (security_barrier) as select id, customer_id, kind, at from public.events;

create schema bob;
create view bob.customers with (security_barrier) as
    select id, first_kept(name, 1) as name, region, masked_email(email, 0) as email, null::char(11) as ssn,
           null::numeric(10,2) as salary, consent_training, null::text as notes, created_at from public.customers;
create view bob.orders with (security_barrier) as select * from public.orders;
create view bob.employees with (security_barrier) as
    select id, first_kept(name, 1) as name, title, manager_id, null::numeric(10,2) as salary from public.employees;
create view bob.events with (security_barrier) as select id, customer_id, kind, at from public.events;

create schema trainer;
create view trainer.customers with (security_barrier) as
    select id, null::text as name, region, null::text as email, null::char(11) as ssn, null::numeric(10,2) as salary,
           consent_training, notes, created_at from public.customers;

create schema agent;
create view agent.orders with (security_barrier) as select * from public.orders;
create view agent.events with (security_barrier) as select id, customer_id, kind, at from public.events;

-- A view reads with the rights of its owner, so under the policies that name the owner.
do $$
declare
    person text;
    made regclass;
begin
    foreach person in array array['alice', 'bob', 'trainer', 'agent'] loop
        execute format('grant usage, create on schema %I to parity_%s', person, person);
        for made in select oid::regclass from pg_class where relnamespace = person::regnamespace and relkind = 'v' loop
            execute format('alter view %s owner to parity_%s', made, person);
        end loop;
        execute format('create role native_%s login; grant usage on schema %I to native_%s', person, person, person);
        execute format('grant select on all tables in schema %I to native_%s', person, person);
        execute format('alter role native_%s set search_path = %I', person, person);
    end loop;
end $$;
