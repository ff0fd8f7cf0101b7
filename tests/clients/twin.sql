-- Makes a copy of the store into its twin: what is left is what `alice` may see, so that a direct answer of the twin is the
-- direct answer of the store less the hidden. Oids and column numbers stay, since a copy of a database keeps them.

set session_replication_role = replica;  -- orders keep the numbers of customers that are not visible

delete from customers where region is distinct from 'EU';
update customers set
    name = left(name, 1) || repeat('*', length(name) - 1),
    email = left(email, 1) || '***@' || split_part(email, '@', 2),
    ssn = repeat('*', 7) || right(ssn, 4),
    salary = null;

drop table employees, qvhidden_vault, profiles, assignments;
drop schema qvhidden_schema cascade;
alter table customers drop column internal_label;
alter table events drop column payload;
