/** Functions of MySQL that SQLite lacks. */
import type { DatabaseSync } from 'node:sqlite';
import { SERVER_VERSION, serverVariables, type Session } from './session-state.ts';
import { SqlError } from './sql-error.ts';

/** `session`: whose statement runs at the moment. */
export function addFunctions(database: DatabaseSync, session: () => Session | null): void {
  const user = (): string => `${session()?.user ?? ''}@%`;
  const now = (): string => new Date().toISOString().slice(0, 19).replace('T', ' ');
  database.function('database', () => session()?.database ?? null);
  database.function('schema', () => session()?.database ?? null);
  database.function('user', user);
  database.function('current_user', user);
  database.function('version', () => SERVER_VERSION);
  database.function('connection_id', () => session()?.id ?? 0);
  database.function('last_insert_id', () => session()?.lastInsertId ?? 0);
  database.function('now', now);
  database.function('rand', () => Math.random());
  database.function('char_length', (text) => (text === null ? null : Array.from(String(text)).length));
  database.function('mysql_variable', (name) => {
    const value = serverVariables[String(name)];
    if (value === undefined) throw new SqlError(1193, 'HY000', `Unknown system variable '${String(name)}'`);
    return /^\d+$/.test(value) ? Number(value) : value;
  });
}
