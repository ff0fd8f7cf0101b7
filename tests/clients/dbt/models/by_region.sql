select c.region, count(*) as orders, sum(o.amount) as amount
from {{ source('crm', 'customers') }} c
join {{ source('crm', 'orders') }} o on o.customer_id = c.id
group by c.region
