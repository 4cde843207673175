/** What survives a restart: resources as they stand and every change made to them, in one SQLite file. */
import { chmodSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { Resource } from '#proxy/istio/resource.ts';
import type { Author } from './store.ts';

/** One numbered change, as history shows it. */
export type Change = {
  readonly revision: number;
  /** RFC 3339, with milliseconds. */
  readonly at: string;
  readonly author: Author;
  readonly verb: 'create' | 'update' | 'delete';
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  /** The resource after the change; null when it was deleted. */
  readonly resource: Resource | null;
};

export type HistoryFilter = {
  readonly kind?: string;
  readonly namespace?: string;
  readonly name?: string;
  /** Only what people changed: not what the runner and the control plane did by themselves. */
  readonly people?: boolean;
  /** Newest so many; 100 unless told. */
  readonly limit?: number;
};

/** Which resource. */
export type Key = { readonly kind: string; readonly namespace: string; readonly name: string };

export type Journal = {
  /** No change before this number is unknown to the journal; new ones are numbered after it. */
  readonly revision: number;
  resources(): Resource[];
  /**
   * Makes the change lasting before it returns. `quiet`: only the resource's present state is kept, nothing is added to the
   * history (changes of status).
   */
  append(change: Change, quiet: boolean): void;
  /** Numbers up to here may be given out without a note on disk; so a restart never gives one out twice. */
  reserve(revision: number): void;
  /** Newest first; fewer than the filter's limit when they are very large. */
  history(filter: HistoryFilter): Change[];
  /** What people changed after `revision`, each resource once; null when the history does not reach back so far. */
  changedSince(revision: number): Key[] | null;
  /**
   * What a resource that changed since was at `revision`: null when there was none, undefined when its body is no longer kept.
   * Holds as far as `changedSince` reaches back.
   */
  at(revision: number, key: Key): Resource | null | undefined;
  close(revision: number): void;
};

export type JournalLimits = {
  /** How many changes the history keeps, and how many bytes of them. */
  readonly changes: number;
  readonly bytes: number;
  /** What is older than that is dropped after so many changes, or so many bytes. */
  readonly pruneEvery: { readonly changes: number; readonly bytes: number };
  /** Of one answer about the history, which ends with the change that exceeds them. */
  readonly toldCharacters: number;
};

const LIMITS: JournalLimits = {
  changes: 10_000,
  bytes: 256 * 1024 * 1024,
  pruneEvery: { changes: 500, bytes: 32 * 1024 * 1024 },
  toldCharacters: 16 * 1024 * 1024,
};

/** Numbers reserved at a time. */
const RESERVE = 1000;

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS resources (
    kind TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL, body TEXT NOT NULL,
    PRIMARY KEY (kind, namespace, name)) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS changes (
    revision INTEGER PRIMARY KEY, at TEXT NOT NULL, via TEXT NOT NULL, user TEXT NOT NULL, verb TEXT NOT NULL,
    kind TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL, body TEXT, message TEXT NOT NULL DEFAULT '') STRICT;
  CREATE INDEX IF NOT EXISTS changes_by_name ON changes (kind, namespace, name, revision);
`;

/** The runner, and whatever else the control plane does by itself, is not people. */
const BY_PEOPLE = `(via <> 'runner' AND user NOT LIKE 'system:%')`;
const OF_KEY = 'kind = ? AND namespace = ? AND name = ?';

/**
 * Opens (or makes) `DIR/journal.db`; null keeps everything in memory. WAL with synchronous=FULL: a change that was
 * acknowledged is on disk (https://sqlite.org/pragma.html#pragma_synchronous). Throws when another process has it open.
 */
export const openJournal = (dir: string | null, limits = LIMITS): Journal =>
  new SqliteJournal(openDatabase(dir), limits);

class SqliteJournal implements Journal {
  readonly revision: number;
  readonly #db: DatabaseSync;
  readonly #statements: ReturnType<typeof statementsOf>;
  readonly #limits: JournalLimits;
  #reservedTo: number;
  #appended = 0;
  #appendedBytes = 0;

  constructor(db: DatabaseSync, limits: JournalLimits) {
    this.#db = db;
    this.#limits = limits;
    this.#statements = statementsOf(db);
    const reserved = db.prepare(`SELECT value FROM meta WHERE key = 'reserved'`).get();
    this.revision = Number(reserved?.['value'] ?? 0);
    this.#reservedTo = this.revision;
  }

  resources(): Resource[] {
    const rows = this.#db.prepare('SELECT body FROM resources').all();
    return rows.map((row) => JSON.parse(row['body'] as string) as Resource);
  }

  reserve(revision: number): void {
    if (revision <= this.#reservedTo) return;
    const upTo = revision + RESERVE;
    this.#statements.setReserved.run(String(upTo));
    this.#reservedTo = upTo;
  }

  append(change: Change, quiet: boolean): void {
    const reserved = this.#reservedTo;
    this.#db.exec('BEGIN');
    try {
      this.#write(change, quiet);
      this.#db.exec('COMMIT');
    } catch (error) {
      // A full disk ends the transaction by itself (https://sqlite.org/lang_transaction.html#response_to_errors_within_a_transaction).
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK');
      this.#reservedTo = reserved;
      throw error;
    }
  }

  history({ kind, namespace, name, people = false, limit = 100 }: HistoryFilter): Change[] {
    const place = { $kind: kind ?? null, $namespace: namespace ?? null, $name: name ?? null };
    const wanted = { ...place, $people: people ? 1 : 0, $limit: limit };
    const changes: Change[] = [];
    let characters = 0;
    for (const row of this.#statements.select.iterate(wanted)) {
      changes.push(changeOf(row));
      characters += String(row['body'] ?? '').length;
      if (characters > this.#limits.toldCharacters) break;
    }
    return changes;
  }

  changedSince(revision: number): Key[] | null {
    const oldest = Number(this.#statements.oldest.get()?.['revision'] ?? 1);
    // The first change ever made is number 1: then nothing has been dropped.
    if (oldest > 1 && revision < oldest - 1) return null;
    return this.#statements.touched.all(revision).map((row) => ({
      kind: row['kind'] as string,
      namespace: row['namespace'] as string,
      name: row['name'] as string,
    }));
  }

  at(revision: number, { kind, namespace, name }: Key): Resource | null | undefined {
    const { last, next } = this.#statements;
    const found = last.get(kind, namespace, name, revision);
    if (found !== undefined) return found['body'] === null ? null : (JSON.parse(found['body'] as string) as Resource);
    return next.get(kind, namespace, name, revision)?.['verb'] === 'create' ? null : undefined;
  }

  close(revision: number): void {
    this.#statements.setReserved.run(String(Math.max(revision, this.revision)));
    this.#db.close();
  }

  #write(c: Change, quiet: boolean): void {
    const { insert, upsert, remove, prune } = this.#statements;
    this.reserve(c.revision);
    const body = c.resource === null ? null : JSON.stringify(c.resource);
    if (body === null) remove.run(c.kind, c.namespace, c.name);
    else upsert.run(c.kind, c.namespace, c.name, body);
    if (quiet) return;
    insert.run(
      c.revision,
      c.at,
      c.author.via,
      c.author.user,
      c.verb,
      c.kind,
      c.namespace,
      c.name,
      body,
      c.author.message ?? '',
    );
    this.#appended += 1;
    this.#appendedBytes += body?.length ?? 0;
    const { changes, bytes, pruneEvery } = this.#limits;
    if (this.#appended < pruneEvery.changes && this.#appendedBytes < pruneEvery.bytes) return;
    prune.run(changes, bytes);
    this.#appended = 0;
    this.#appendedBytes = 0;
  }
}

function statementsOf(db: DatabaseSync) {
  return {
    setReserved: db.prepare(`INSERT OR REPLACE INTO meta (key, value) VALUES ('reserved', ?)`),
    insert: db.prepare('INSERT INTO changes VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)'),
    upsert: db.prepare('INSERT OR REPLACE INTO resources VALUES (?, ?, ?, ?)'),
    remove: db.prepare('DELETE FROM resources WHERE kind = ? AND namespace = ? AND name = ?'),
    prune: db.prepare(
      `DELETE FROM changes WHERE revision NOT IN (SELECT revision FROM (
         SELECT revision, row_number() OVER newer AS place, sum(coalesce(octet_length(body), 0)) OVER newer AS bytes
         FROM changes WINDOW newer AS (ORDER BY revision DESC)) WHERE place <= ? AND bytes <= ?)`,
    ),
    select: db.prepare(
      `SELECT * FROM changes WHERE ($kind IS NULL OR kind = $kind) AND ($namespace IS NULL OR namespace = $namespace)
         AND ($name IS NULL OR name = $name) AND ($people = 0 OR ${BY_PEOPLE}) ORDER BY revision DESC LIMIT $limit`,
    ),
    oldest: db.prepare('SELECT min(revision) AS revision FROM changes'),
    touched: db.prepare(
      `SELECT DISTINCT kind, namespace, name FROM changes WHERE revision > ? AND ${BY_PEOPLE} ORDER BY kind, namespace, name`,
    ),
    last: db.prepare(`SELECT body FROM changes WHERE ${OF_KEY} AND revision <= ? ORDER BY revision DESC LIMIT 1`),
    next: db.prepare(`SELECT verb FROM changes WHERE ${OF_KEY} AND revision > ? ORDER BY revision LIMIT 1`),
  };
}

function openDatabase(dir: string | null): DatabaseSync {
  if (dir !== null) mkdirSync(dir, { recursive: true, mode: 0o700 });
  const file = dir === null ? ':memory:' : join(dir, 'journal.db');
  const db = new DatabaseSync(file);
  try {
    // Secrets are in it. The files that SQLite puts beside it take its mode over.
    if (dir !== null) chmodSync(file, 0o600);
    // Exclusive: two control planes on one journal would give out the same revision twice.
    db.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;');
    db.exec(SCHEMA);
    // A journal of before there were messages.
    const columns = db.prepare('PRAGMA table_info(changes)').all();
    if (!columns.some((column) => column['name'] === 'message'))
      db.exec(`ALTER TABLE changes ADD COLUMN message TEXT NOT NULL DEFAULT ''`);
    return db;
  } catch (error) {
    db.close();
    const message = error instanceof Error ? error.message : String(error);
    const hint = message.includes('locked') ? ': another control API has it open' : '';
    throw new Error(`cannot open the journal ${file}${hint} (${message})`, { cause: error });
  }
}

function changeOf(row: Record<string, unknown>): Change {
  const text = (key: string): string => row[key] as string;
  return {
    revision: row['revision'] as number,
    at: text('at'),
    author: { via: text('via'), user: text('user'), ...(text('message') === '' ? {} : { message: text('message') }) },
    verb: text('verb') as Change['verb'],
    kind: text('kind'),
    namespace: text('namespace'),
    name: text('name'),
    resource: row['body'] === null ? null : (JSON.parse(text('body')) as Resource),
  };
}
