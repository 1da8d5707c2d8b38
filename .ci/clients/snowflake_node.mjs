// snowflake-sdk for Node on the embedded warehouse: types, bindings, errors, async queries, streams of rows.
import { check, endpoints as e, equal, finish, require } from './checks.mjs';

const snowflake = require('snowflake-sdk');
snowflake.configure({ logLevel: 'OFF', disableOCSPChecks: true });

function open(more = {}) {
  const connection = snowflake.createConnection({
    account: e.snowflake_account, username: e.user, password: e.password,
    accessUrl: `http://${e.snowflake_host}:${e.snowflake_port}`, warehouse: 'COMPUTE_WH', role: 'SYSADMIN', ...more,
  });
  return new Promise((done, fail) => connection.connect((err, c) => (err ? fail(err) : done(c))));
}

const connection = await open();

// run resolves to the rows, and to the statement that gave them.
function run(sqlText, more = {}, c = connection) {
  return new Promise((done, fail) =>
    c.execute({ sqlText, ...more, complete: (err, statement, rows) => (err ? fail(err) : done(Object.assign(rows ?? [], { statement }))) }));
}
const rows = async (...args) => (await run(...args)).map((r) => ({ ...r }));

async function fails(promise) {
  try {
    await promise;
  } catch (err) {
    return err;
  }
  throw new Error('it did not fail');
}

await check('refuses a wrong password', async () => {
  const err = await fails(open({ password: 'no' }));
  equal(err.code, '390100');
});

await check('types', async () => {
  await run('CREATE OR REPLACE DATABASE NODE');
  const got = (await rows(`SELECT 12::NUMBER(38,0) N, -1.25::NUMBER(10,2) D, 1.5::FLOAT F, TRUE B, 'häß' V, TO_BINARY('00FF', 'HEX') BI, '1924-02-29'::DATE DA,
    '01:02:03'::TIME TI, '1924-02-29 01:02:03.456'::TIMESTAMP_NTZ NTZ, '2024-02-29 01:02:03 +02:00'::TIMESTAMP_LTZ LTZ, '2024-02-28 23:02:03 +00:00'::TIMESTAMP_TZ TZ, PARSE_JSON('{"b":1,"a":[]}') J, NULL U`))[0];
  equal([got.N, got.D, got.F, got.B, got.V, got.BI.toString('hex'), got.TI, got.J, got.U], [12, -1.25, 1.5, true, 'häß', '00ff', '01:02:03', { b: 1, a: [] }, null]);
  equal([got.DA, got.NTZ, got.LTZ, got.TZ].map((d) => new Date(d).toISOString()), ['1924-02-29T00:00:00.000Z', '1924-02-29T01:02:03.456Z', '2024-02-28T23:02:03.000Z', '2024-02-28T23:02:03.000Z']);
});

await check('columns of a statement', async () => {
  const { statement } = await run("SELECT 1.25::NUMBER(10,2) AS D, 'x' AS V, CURRENT_DATE AS DA");
  equal(statement.getColumns().map((c) => [c.getName(), c.getType()]), [['D', 'fixed'], ['V', 'text'], ['DA', 'date']]);
  equal([statement.getColumn('D').getPrecision(), statement.getColumn('D').getScale(), statement.getNumRows()], [10, 2, 1]);
});

await check('bindings, of a row and of many', async () => {
  await run('CREATE TABLE B (A INT, B VARCHAR, C FLOAT, D BOOLEAN)');
  await run('INSERT INTO B VALUES (?, ?, ?, ?)', { binds: [7, "it's ?", -2.5, false] });
  const { statement } = await run('INSERT INTO B (A, B) VALUES (:1, :2)', { binds: [[8, null], [9, 'nine']] });
  equal(statement.getNumUpdatedRows(), 2);
  equal(await rows('SELECT * FROM B WHERE A IN (?, ?) ORDER BY A', { binds: [7, 8] }), [{ A: 7, B: "it's ?", C: -2.5, D: false }, { A: 8, B: null, C: null, D: null }]);
});

await check('errors carry code, sqlState and the query id', async () => {
  for (const [sql, code, state] of [['SELECT * FROM NOWHERE', '002003', '42S02'], ['SELEKT 1', '001003', '42000'], ['CREATE TABLE B (A INT)', '002002', '42710']]) {
    const err = await fails(run(sql));
    equal([err.code, err.sqlState, typeof err.data?.queryId], [code, state, 'string']);
  }
});

await check('several statements', async () => {
  const first = await new Promise((done, fail) => {
    const got = [];
    connection.execute({
      sqlText: 'SELECT 1 AS A; SELECT 2 AS A', parameters: { MULTI_STATEMENT_COUNT: 2 },
      complete: (err, statement, r) => {
        if (err) return fail(err);
        got.push(...r.map((x) => x.A));
        if (statement.hasNext()) statement.NextResult();
        else done(got);
      },
    });
  });
  equal(first, [1, 2]);
});

await check('an async query is fetched by its id', async () => {
  const { statement } = await run('SELECT SUM(A) AS S FROM B', { asyncExec: true });
  const id = statement.getQueryId();
  const until = Date.now() + 20000;
  while (connection.isStillRunning(await connection.getQueryStatus(id)) && Date.now() < until) await new Promise((r) => setTimeout(r, 50));
  equal(await connection.getQueryStatus(id), 'SUCCESS');
  const later = await connection.getResultsFromQueryId({ queryId: id });
  const got = await new Promise((done, fail) => { const all = []; later.streamRows().on('data', (r) => all.push({ ...r })).on('end', () => done(all)).on('error', fail); });
  equal(got, [{ S: 24 }]);
});

await check('a stream of many rows', async () => {
  await run('CREATE OR REPLACE TABLE DIGITS AS SELECT COLUMN1 AS N FROM (VALUES (0), (1), (2), (3), (4), (5), (6), (7), (8), (9))');
  const { statement } = await run('SELECT 1000 * A.N + 100 * B.N + 10 * C.N + D.N AS N FROM DIGITS A, DIGITS B, DIGITS C, DIGITS D, (SELECT 1 UNION ALL SELECT 2) E', { streamResult: true });
  let sum = 0;
  await new Promise((done, fail) => statement.streamRows().on('data', (r) => (sum += r.N)).on('end', done).on('error', fail));
  equal(sum, 10000 * 9999);
});

await check('a cancelled statement ends', async () => {
  let statement;
  const err = fails(new Promise((done, fail) => {
    statement = connection.execute({ sqlText: 'WITH RECURSIVE R AS (SELECT 1 AS N UNION ALL SELECT N + 1 FROM R WHERE N < 2000000000) SELECT SUM(N) FROM R', complete: (e) => (e ? fail(e) : done()) });
  }));
  await new Promise((r) => setTimeout(r, 500));
  await new Promise((done, fail) => statement.cancel((e) => (e ? fail(e) : done())));
  equal((await err).code, '000604');
});

await check('what the stream loaded', async () => {
  const [{ C, D }] = await rows('SELECT COUNT(*) AS C, MIN(Date) AS D FROM MARKET.RAW.STOCK_MARKET_DATA');
  equal([C > 1000, new Date(D).getUTCFullYear() > 1900], [true, true]);
});

await new Promise((done) => connection.destroy(done));
finish();
