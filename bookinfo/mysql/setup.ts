/** The pattern's loader: makes the database anew, with its first book and reviews. Runs once, in a Pod of its own. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Env } from '../service.ts';
import { mysqlDatabase, type Database } from './database.ts';
import { BOOKINFO_DB, BOOKINFO_TABLES, ISTIO_DB, ISTIO_TABLES } from './schema.ts';
import { mysqlSettings } from './settings.ts';

/** ER_ACCESS_DENIED_ERROR (dev.mysql.com, "Server Error Message Reference"). */
const ACCESS_DENIED = 1045;
const DENIED =
  'MYSQL_DB_USER and MYSQL_DB_PASSWORD have to be those that the database was made with: in docker compose, set the old ones, or make it anew (docker compose down -v).\n';

/** A database that has just been started may need so many seconds. */
const TRIES = 15;

/**
 * Drops `bookinfo_db` and makes it anew, or with MYSQL_SETUP_KEEP=true leaves one that is there; MYSQL_SETUP_TEST=true makes Istio's `test.ratings`, too. Resolves with the exit code: 0 when all is there,
 * 1 when the environment lacks a variable, the database cannot be reached, or it refuses a statement.
 */
export async function main(env: Env, argv: readonly string[] = [], everyMs = 1_000): Promise<number> {
  if (['HOST', 'PORT', 'USER', 'PASSWORD'].some((name) => (env[`MYSQL_DB_${name}`] ?? '') === '') || argv.length > 0) {
    process.stdout.write('Environment variables not found.\n');
    process.stderr.write('expected MYSQL_DB_HOST, MYSQL_DB_PORT, MYSQL_DB_USER and MYSQL_DB_PASSWORD\n');
    return 1;
  }
  const settings = mysqlSettings({ ...env, MYSQL_DB_NAME: '' }, '');
  if (settings === null) return 1;
  const database = mysqlDatabase(settings);
  try {
    if (env['MYSQL_SETUP_KEEP'] === 'true' && (await isThere(database, everyMs))) {
      process.stdout.write(`${BOOKINFO_DB} is there already; it is left as it is.\n`);
      return 0;
    }
    for (const statement of statements(env['MYSQL_SETUP_TEST'] === 'true')) {
      let result = await database.write(statement, []);
      for (let tries = 1; !result.ok && result.errno === null && tries < TRIES; tries++) {
        process.stderr.write(`waiting: ${result.reason}\n`);
        await sleep(everyMs);
        result = await database.write(statement, []);
      }
      if (result.ok) continue;
      process.stderr.write(`${statement.split('\n')[0]} …: ${result.reason}\n`);
      if (result.errno === ACCESS_DENIED) process.stderr.write(DENIED);
      return 1;
    }
    process.stdout.write(`${BOOKINFO_DB} has its book and its reviews.\n`);
    return 0;
  } finally {
    database.close();
  }
}

/** Its book is written last: what was broken off is made anew. */
async function isThere(database: Database, everyMs: number): Promise<boolean> {
  const last = `SELECT BookID FROM ${BOOKINFO_DB}.books LIMIT 1`;
  let result = await database.read(last, []);
  for (let tries = 1; !result.ok && result.errno === null && tries < TRIES; tries++) {
    process.stderr.write(`waiting: ${result.reason}\n`);
    await sleep(everyMs);
    result = await database.read(last, []);
  }
  return result.ok && result.rows.length > 0;
}

const statements = (istio: boolean): readonly string[] => [
  `DROP DATABASE IF EXISTS ${BOOKINFO_DB}`,
  `CREATE DATABASE ${BOOKINFO_DB} DEFAULT CHARACTER SET utf8mb4`,
  ...BOOKINFO_TABLES,
  ...(istio
    ? [`CREATE DATABASE IF NOT EXISTS ${ISTIO_DB}`, `DROP TABLE IF EXISTS ${ISTIO_DB}.ratings`, ...ISTIO_TABLES]
    : []),
];
