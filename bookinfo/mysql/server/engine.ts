/** The databases of the embedded server: a SQLite file each, under one directory, or all in memory. */
import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import { addFunctions } from './functions.ts';
import { fromSqlite, SqlError } from './sql-error.ts';
import { serverVariables, type Session } from './session-state.ts';
import { identifier } from './tokens.ts';
import { translate, type Plan } from './translate.ts';

export type Column = {
  readonly name: string;
  readonly table: string;
  readonly type: 'integer' | 'double' | 'text' | 'blob';
};

export type Result =
  | { readonly kind: 'rows'; readonly columns: readonly Column[]; readonly rows: readonly (readonly unknown[])[] }
  | { readonly kind: 'done'; readonly affected: number; readonly insertId: number };

export type Prepared = {
  readonly params: number;
  /** Empty for statements without rows. */
  readonly columns: readonly Column[];
  run(session: Session, values: readonly SQLInputValue[]): Result;
};

/** More rows, or a longer value, than any client of ours has use for. */
const MAX_ROWS = 10_000;
/** Of all values of a result, in characters or bytes. */
const MAX_RESULT = 16 * 1024 * 1024;
const LIMITS = { length: 4 * 1024 * 1024, exprDepth: 200, vdbeOp: 100_000, attach: 0 };
const MAX_DATABASES = 50;
const DONE = { kind: 'done', affected: 0, insertId: 0 } as const satisfies Result;

export class Engine {
  readonly #directory: string;
  readonly #open = new Map<string, DatabaseSync>();
  #session: Session | null = null;

  /** `data`: a directory, made when it is missing, or `:memory:`. */
  constructor(data: string) {
    this.#directory = data === ':memory:' ? '' : data;
    if (this.#directory === '') return;
    mkdirSync(this.#directory, { recursive: true });
    for (const file of readdirSync(this.#directory)) if (file.endsWith('.db')) this.#add(file.slice(0, -3));
  }

  has(name: string): boolean {
    return this.#open.has(name);
  }

  /** Throws a SqlError. The plan is made once, the statement compiled at each run: tables may change in between. */
  prepare(session: Session, sql: string): Prepared {
    const plan = translate(sql);
    if (plan.kind !== 'sql') return { params: 0, columns: [], run: (now) => this.#perform(now, plan) };
    const statement = this.#compile(session, plan);
    return {
      params: plan.params,
      columns: columnsOf(statement),
      run: (now, values) => this.#run(now, this.#compile(now, plan), values),
    };
  }

  /** A statement as text, without parameters. */
  query(session: Session, sql: string): Result {
    const prepared = this.prepare(session, sql);
    if (prepared.params > 0) throw new SqlError(1210, 'HY000', 'Incorrect arguments to a statement: it has parameters');
    return prepared.run(session, []);
  }

  use(session: Session, name: string): void {
    this.#database(name);
    session.database = name;
  }

  columns(database: string | null, table: string): readonly Column[] {
    const statement = compile(this.#database(database), `SELECT * FROM ${identifier(table)}`);
    return columnsOf(statement);
  }

  close(): void {
    for (const database of this.#open.values()) database.close();
    this.#open.clear();
  }

  #compile(session: Session, plan: Plan & { kind: 'sql' }): StatementSync {
    const name = plan.database ?? session.database;
    // Without a database there is still `SELECT VERSION()`.
    return compile(name === null ? this.#nowhere() : this.#database(name), plan.sql);
  }

  #run(session: Session, statement: StatementSync, values: readonly SQLInputValue[]): Result {
    this.#session = session;
    try {
      const columns = columnsOf(statement);
      if (columns.length === 0) {
        const { changes, lastInsertRowid } = statement.run(...values);
        const insertId = Number(lastInsertRowid);
        session.lastInsertId = insertId;
        return { kind: 'done', affected: Number(changes), insertId };
      }
      const rows: unknown[][] = [];
      let size = 0;
      for (const row of statement.iterate(...values)) {
        for (const value of row as unknown as unknown[]) size += sizeOf(value);
        if (size > MAX_RESULT) throw new SqlError(1153, '08S01', `A result of more than ${MAX_RESULT} bytes`);
        if (rows.push(row as unknown as unknown[]) > MAX_ROWS)
          throw new SqlError(1104, '42000', `The SELECT would examine too many rows: more than ${MAX_ROWS}`);
      }
      return { kind: 'rows', columns: columns.map((column, i) => fitting(column, rows, i)), rows };
    } catch (error) {
      throw fromSqlite(error);
    } finally {
      this.#session = null;
    }
  }

  #perform(session: Session, plan: Exclude<Plan, { kind: 'sql' }>): Result {
    switch (plan.kind) {
      case 'use':
        this.use(session, plan.name);
        return DONE;
      case 'create-database':
        if (this.has(plan.name) && !plan.cautious)
          throw new SqlError(1007, 'HY000', `Can't create database '${plan.name}'; database exists`);
        if (!this.has(plan.name)) this.#create(plan.name);
        return { ...DONE, affected: 1 };
      case 'drop-database':
        return this.#drop(session, plan.name, plan.cautious);
      case 'create-table':
        for (const sql of plan.statements) execute(this.#database(plan.database ?? session.database), sql);
        return DONE;
      case 'show-databases':
        return list('Database', [...this.#open.keys()].toSorted(), plan.like);
      case 'show-tables':
        return this.#tables(plan.database ?? session.database, plan.like);
      case 'show-columns':
        return this.#described(plan.database ?? session.database, plan.table);
      case 'show-variables':
        return pairs(['Variable_name', 'Value'], Object.entries(serverVariables), plan.like);
      case 'show-nothing':
        return pairs(['Level', 'Message'], [], null);
      case 'nothing':
        return DONE;
    }
  }

  #tables(name: string | null, like: string | null): Result {
    const sql =
      "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite~_%' ESCAPE '~' ORDER BY name";
    const tables = this.#database(name).prepare(sql).all();
    return list(
      `Tables_in_${name ?? ''}`,
      tables.map((row) => String(row['name'])),
      like,
    );
  }

  #described(name: string | null, table: string): Result {
    const database = this.#database(name);
    compile(database, `SELECT 1 FROM ${identifier(table)}`);
    const columns = database
      .prepare('SELECT name, type, "notnull", dflt_value, pk FROM pragma_table_info(?)')
      .all(table);
    const rows = columns.map((c) => [
      c['name'],
      c['type'],
      c['notnull'] === 0 && c['pk'] === 0 ? 'YES' : 'NO',
      c['pk'] === 0 ? '' : 'PRI',
      c['dflt_value'],
    ]);
    return { kind: 'rows', columns: ['Field', 'Type', 'Null', 'Key', 'Default'].map(textColumn), rows };
  }

  #database(name: string | null): DatabaseSync {
    if (name === null) throw new SqlError(1046, '3D000', 'No database selected');
    const database = this.#open.get(name);
    if (database === undefined) throw new SqlError(1049, '42000', `Unknown database '${name}'`);
    return database;
  }

  #nowhereDatabase: DatabaseSync | null = null;
  #nowhere(): DatabaseSync {
    return (this.#nowhereDatabase ??= this.#opened(':memory:'));
  }

  #create(name: string): void {
    // It becomes the name of a file.
    if (!/^\w{1,64}$/.test(name)) throw new SqlError(1102, '42000', `Incorrect database name '${name}'`);
    if (this.#open.size >= MAX_DATABASES)
      throw new SqlError(1006, 'HY000', `Can't create database '${name}': there are ${MAX_DATABASES}`);
    this.#add(name);
  }

  #add(name: string): void {
    this.#open.set(name, this.#opened(this.#directory === '' ? ':memory:' : this.#file(name)));
  }

  #opened(path: string): DatabaseSync {
    const options = { enableDoubleQuotedStringLiterals: false, limits: LIMITS };
    const database = new DatabaseSync(path, options);
    addFunctions(database, () => this.#session);
    return database;
  }

  #drop(session: Session, name: string, cautious: boolean): Result {
    const database = this.#open.get(name);
    if (database === undefined) {
      if (cautious) return DONE;
      throw new SqlError(1008, 'HY000', `Can't drop database '${name}'; database doesn't exist`);
    }
    database.close();
    this.#open.delete(name);
    if (this.#directory !== '' && existsSync(this.#file(name))) rmSync(this.#file(name));
    if (session.database === name) session.database = null;
    return DONE;
  }

  #file(name: string): string {
    return join(this.#directory, `${name}.db`);
  }
}

function compile(database: DatabaseSync, sql: string): StatementSync {
  try {
    const statement = database.prepare(sql);
    statement.setReadBigInts(true);
    statement.setReturnArrays(true);
    return statement;
  } catch (error) {
    throw fromSqlite(error);
  }
}

function execute(database: DatabaseSync, sql: string): void {
  try {
    database.exec(sql);
  } catch (error) {
    throw fromSqlite(error);
  }
}

function columnsOf(statement: StatementSync): Column[] {
  return statement.columns().map(({ name, table, type }) => ({ name, table: table ?? '', type: typeOf(type ?? '') }));
}

/** By SQLite's rules of affinity (sqlite.org/datatype3.html, 3.1). Dates and decimals are texts. */
function typeOf(declared: string): Column['type'] {
  if (/INT/i.test(declared)) return 'integer';
  if (/REAL|FLOA|DOUB/i.test(declared)) return 'double';
  return /BLOB|BINARY/i.test(declared) ? 'blob' : 'text';
}

/** SQLite keeps what it is given, and does not declare expressions: the values decide. */
function fitting(column: Column, rows: readonly (readonly unknown[])[], i: number): Column {
  const kinds = new Set(
    rows.map((row) => (row[i] === null ? 'null' : row[i] instanceof Uint8Array ? 'blob' : typeof row[i])),
  );
  kinds.delete('null');
  if (kinds.size === 0) return column;
  const only = kinds.size === 1 ? [...kinds][0] : null;
  const type = only === 'bigint' ? 'integer' : only === 'number' ? 'double' : only === 'blob' ? 'blob' : 'text';
  return type === 'integer' && column.type === 'double' ? column : { ...column, type };
}

const sizeOf = (value: unknown): number =>
  typeof value === 'string' || value instanceof Uint8Array ? value.length : 8;

const textColumn = (name: string): Column => ({ name, table: '', type: 'text' });

const list = (name: string, values: readonly string[], like: string | null): Result =>
  pairs(
    [name],
    values.map((value) => [value]),
    like,
  );

function pairs(names: readonly string[], rows: readonly (readonly string[])[], like: string | null): Result {
  const escaped = (like ?? '%')
    .replace(/[$()*+.?[\\\]^{|}]/g, '\\$&')
    .replaceAll('%', '.*')
    .replaceAll('_', '.');
  const pattern = new RegExp(`^${escaped}$`, 'is');
  return { kind: 'rows', columns: names.map(textColumn), rows: rows.filter(([first]) => pattern.test(first ?? '')) };
}
