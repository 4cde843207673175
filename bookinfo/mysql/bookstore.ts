/** BookInfo on a database, for tests: its services on free ports of this machine, each with a pool of its own. */
import { details } from '../details/main.ts';
import { productpage } from '../productpage/main.ts';
import { ratings } from '../ratings/main.ts';
import { reviews } from '../reviews/main.ts';
import type { Env, Service } from '../service.ts';
import { at, standIn } from '../stand-in.ts';
import { mysqlDatabase, type Database, type Limits } from './database.ts';
import { BOOKINFO_DB } from './schema.ts';
import { mysqlSettings } from './settings.ts';

export type Bookstore = AsyncDisposable & {
  /** Of reviews, where the gateway would send these. */
  post(form: Record<string, string> | string, headers?: Record<string, string>): Promise<Response>;
  remove(method: 'GET' | 'POST', headers?: Record<string, string>): Promise<Response>;
  page(): Promise<string>;
  details(): Promise<Response>;
  ratings(): Promise<Response>;
  reviews(): Promise<ReviewsAnswer>;
  readonly log: Record<string, unknown>[];
};

export type ReviewsAnswer = {
  readonly reviews: readonly {
    readonly reviewer: string;
    readonly text: string;
    readonly rating?: { readonly stars?: number; readonly color?: string };
  }[];
  readonly problem?: string;
};

/** `env`: MYSQL_DB_*, and the version of reviews (v3 unless it is told otherwise). */
export async function openBookstore(env: Env, limits?: Limits): Promise<Bookstore> {
  const log: Record<string, unknown>[] = [];
  const databases: Database[] = [];
  const database = (): Database => {
    const made = mysqlDatabase(mysqlSettings(env, BOOKINFO_DB)!, limits);
    databases.push(made);
    return made;
  };
  const version = { ENABLE_RATINGS: 'true', STAR_COLOR: 'red', ...env };
  const d = await standIn(details(env, database()), log);
  const r = await standIn(
    ratings({}, Math.random, () => 0, database()),
    log,
  );
  const v = await standIn(reviews({ ...version, ...at('ratings', r.url) }, database()), log);
  const p = await standIn(
    productpage({ ...at('details', d.url), ...at('reviews', v.url), ...at('ratings', r.url) }),
    log,
  );
  const services: Service[] = [p, v, r, d];
  return {
    post: (form, headers = {}) =>
      fetch(`${v.url}/postReview`, { method: 'POST', body: new URLSearchParams(form), headers, redirect: 'manual' }),
    remove: (method, headers = {}) => fetch(`${v.url}/deleteReviews`, { method, headers, redirect: 'manual' }),
    page: async () => (await fetch(`${p.url}/productpage`)).text(),
    details: () => fetch(`${d.url}/details/0`),
    ratings: () => fetch(`${r.url}/ratings/0`),
    reviews: async () => (await (await fetch(`${v.url}/reviews/0`)).json()) as ReviewsAnswer,
    log,
    [Symbol.asyncDispose]: async () => {
      for (const service of services) await service.close(0);
      for (const each of databases) each.close();
    },
  };
}
