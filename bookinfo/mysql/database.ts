/**
 * The database of details, reviews and ratings: few connections, kept while they are used, and every failure a value. Nothing is
 * remembered of a failure: each request tries anew, so that a rule that lets the mesh reach the database helps at once.
 */
import type { Failure, Row, Rows, Value } from './link.ts';
import type { MysqlSettings } from './settings.ts';

export type { Failure, Row, Rows, Value };

export type Database = {
  /** Of a statement that changes nothing: it is sent again when a kept connection turns out to be dead. */
  read(sql: string, values: readonly Value[]): Promise<Rows | Failure>;
  /** Sent at most once. A failure without `errno` leaves open whether it was done. */
  write(sql: string, values: readonly Value[]): Promise<Rows | Failure>;
  /** Says goodbye on idle connections; those in use end with their statement. */
  close(): void;
};

/**
 * Productpage waits 3 s for an answer: a database that says nothing must be given up before. A connection is kept for a minute at most, so that what the
 * mesh no longer allows ends some time also under steady load.
 */
export const LIMITS = {
  connections: 8,
  waiting: 64,
  connectMs: 2_000,
  statementMs: 2_500,
  idleMs: 5_000,
  ageMs: 60_000,
};

export type Limits = typeof LIMITS;

/** With less time left than this, a statement is not sent again. */
const WORTHWHILE_MS = 50;

type Kept = { readonly link: import('./link.ts').Link; readonly release: NodeJS.Timeout };

/** Connects to nobody before the first statement. `limits`: counts, and milliseconds. */
export function mysqlDatabase(settings: MysqlSettings, limits: Limits = LIMITS): Database {
  const idle: Kept[] = [];
  const slots = slotsOf(limits.connections, limits.waiting);
  let closed = false;

  async function run(sql: string, values: readonly Value[], repeatable: boolean): Promise<Rows | Failure> {
    const until = performance.now() + limits.statementMs;
    if (!(await slots.take(limits.statementMs))) return TOO_BUSY;
    try {
      for (;;) {
        const kept = reuse();
        const link = kept ?? (await open(until));
        if (!('execute' in link)) return link;
        const result = await link.execute(sql, values, until - performance.now());
        if (!link.dead) keep(link);
        const lost = !result.ok && result.errno === null;
        if (!lost || kept === null || !repeatable || until - performance.now() < WORTHWHILE_MS) return result;
      }
    } finally {
      slots.give();
    }
  }

  async function open(until: number): Promise<import('./link.ts').Link | Failure> {
    // Loaded by the services that need it only.
    const { Link } = await import('./link.ts');
    return Link.open(settings, Math.min(limits.connectMs, Math.max(1, until - performance.now())));
  }

  function reuse(): import('./link.ts').Link | null {
    for (let kept = idle.pop(); kept !== undefined; kept = idle.pop()) {
      clearTimeout(kept.release);
      if (kept.link.dead) continue;
      kept.link.keepsAlive(true);
      return kept.link;
    }
    return null;
  }

  function keep(link: import('./link.ts').Link): void {
    if (closed || performance.now() - link.opened > limits.ageMs) return link.end();
    link.keepsAlive(false);
    const kept: Kept = {
      link,
      release: setTimeout(() => {
        idle.splice(idle.indexOf(kept), 1);
        link.end();
      }, limits.idleMs).unref(),
    };
    idle.push(kept);
  }

  return {
    read: (sql, values) => run(sql, values, true),
    write: (sql, values) => run(sql, values, false),
    close: () => {
      closed = true;
      for (const { link, release } of idle.splice(0)) {
        clearTimeout(release);
        link.end();
      }
    },
  };
}

const TOO_BUSY: Failure = {
  ok: false,
  stage: 'connect',
  reason: 'too many requests wait for the database',
  errno: null,
};

/** `count` at a time, `waiting` in a line behind them, first come, first served. */
function slotsOf(count: number, waiting: number): { take(timeoutMs: number): Promise<boolean>; give(): void } {
  let free = count;
  const line: ((got: boolean) => void)[] = [];
  return {
    take(timeoutMs) {
      if (free > 0) {
        free--;
        return Promise.resolve(true);
      }
      if (line.length >= waiting) return Promise.resolve(false);
      return new Promise((resolve) => {
        const got = (yes: boolean): void => {
          clearTimeout(timer);
          resolve(yes);
        };
        const timer = setTimeout(() => {
          line.splice(line.indexOf(got), 1);
          resolve(false);
        }, timeoutMs);
        line.push(got);
      });
    },
    give() {
      const next = line.shift();
      if (next === undefined) free++;
      else next(true);
    },
  };
}
