// Node's driver: simple and extended queries, named statements, a cursor, a pool. The environment says where.

const { Client, Pool } = require('pg');
const Cursor = require('pg-cursor');

async function tell(question, ask) {
  try {
    console.log(`== ${question}\n${JSON.stringify(await ask())}`);
  } catch (error) {
    console.log(`== ${question}\nFAILED ${error.code} ${error.message}`);
  }
}

async function main() {
  const client = new Client();
  await client.connect();
  const rows = async (...query) => (await client.query(...query)).rows;

  await tell('simple', () => rows('select * from customers where id < 100 order by id'));
  await tell('fields', async () => {
    const { fields } = await client.query('select * from customers limit 0');
    return fields.map(({ name, dataTypeID }) => [name, dataTypeID]);
  });
  await tell('parameters', () => rows('select id, name from customers where id = $1', [1]));
  for (const ids of [[1, 2, 3], [3]]) {
    const named = { name: 'some', text: 'select id, ssn from customers where id = any($1) order by id', values: [ids] };
    await tell('named', () => rows(named));
  }
  await tell('as arrays', () => rows({ rowMode: 'array', text: 'select * from events where id < 100 order by id' }));
  await tell('several', async () => (await client.query('select 1 as a; select 2 as b')).map((result) => result.rows));
  await tell('transaction', async () => {
    await client.query('BEGIN');
    const counted = await rows('select count(*) from customers');
    await client.query('COMMIT');
    return counted;
  });
  await tell('cursor', async () => {
    const cursor = client.query(new Cursor('select id from orders where id < $1 order by id', [50]));
    const answer = [await cursor.read(2), await cursor.read(10)];
    await cursor.close();
    return answer;
  });
  await tell('a type', () => rows('select typname, typarray from pg_catalog.pg_type where typname = $1', ['int4']));
  await tell('tables', () => rows("select table_name from information_schema.tables where table_schema = 'public' order by 1"));
  await tell('columns', () =>
    rows(`select table_name, column_name, data_type, is_nullable from information_schema.columns
          where table_schema = $1 order by table_name, ordinal_position`, ['public']));
  await client.end();

  const pool = new Pool({ max: 3 });
  await tell('pool', () =>
    Promise.all([1, 2, 3, 4].map(async (id) => (await pool.query('select id, email from customers where id = $1', [id])).rows)));
  await pool.end();
}

main();
