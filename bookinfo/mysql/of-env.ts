/** The database a service's environment names. */
import type { Env } from '../service.ts';
import { mysqlDatabase, type Database } from './database.ts';
import { BOOKINFO_DB } from './schema.ts';
import { mysqlSettings } from './settings.ts';

/** Null without MYSQL_DB_HOST. Throws, naming the variable, when the environment makes no sense. */
export function databaseOf(env: Env, name: string = BOOKINFO_DB): Database | null {
  const settings = mysqlSettings(env, name);
  return settings === null ? null : mysqlDatabase(settings);
}
