/** One client of the embedded server: signs in, then commands one by one until it goes. What it says wrong ends its connection alone. */
import type { Socket } from 'node:net';
import { column, eof, failed, ok, payloads } from './answer.ts';
import type { Engine, Prepared, Result } from './engine.ts';
import { greeting, newSalt, passwordFits, readAnswer, switchMethod } from './handshake.ts';
import { counted, framed, Malformed, PacketReader, Packets, uint } from './packet.ts';
import { readParameters, type Types } from './parameters.ts';
import { MAX_PACKET, type Session } from './session-state.ts';
import { SqlError } from './sql-error.ts';

/** Who may sign in; everyone may do everything. */
export type Users = ReadonlyMap<string, string>;

export type Patience = { readonly signInMs: number; readonly idleMs: number };

const MAX_STATEMENTS = 200;
/** Of a client nobody knows yet. */
const MAX_ANSWER = 4 * 1024;

type Statement = { readonly prepared: Prepared; types: Types | null };

export function serve(socket: Socket, engine: Engine, users: Users, id: number, patience: Patience): void {
  const client = new Client(socket, engine, users, id, patience);
  const late = setTimeout(() => {
    if (!client.known) socket.destroy();
  }, patience.signInMs);
  socket.on('close', () => clearTimeout(late));
  socket.on('error', () => {});
  socket.on('timeout', () => socket.destroy());
  socket.on('drain', () => {
    socket.resume();
    client.take(NOTHING);
  });
  socket.on('data', (chunk: Buffer) => client.take(chunk));
  client.greet();
}

const NOTHING = Buffer.alloc(0);

class Client {
  readonly #socket: Socket;
  readonly #engine: Engine;
  readonly #users: Users;
  readonly #id: number;
  readonly #idleMs: number;
  readonly #packets = new Packets(MAX_ANSWER);
  readonly #salt = newSalt();
  readonly #statements = new Map<number, Statement>();
  #lastStatement = 0;
  #sequence = 0;
  /** Null until it has signed in. */
  #session: Session | null = null;
  /** Who has introduced himself by another method, and was asked for ours. */
  #asked: { readonly user: string; readonly database: string } | null = null;

  constructor(socket: Socket, engine: Engine, users: Users, id: number, { idleMs }: Patience) {
    this.#socket = socket;
    this.#engine = engine;
    this.#users = users;
    this.#id = id;
    this.#idleMs = idleMs;
  }

  get known(): boolean {
    return this.#session !== null;
  }

  greet(): void {
    this.#send(greeting(this.#id, this.#salt));
  }

  /** Takes what came, and answers every whole packet. Never throws. */
  take(chunk: Buffer): void {
    this.#packets.push(chunk);
    try {
      this.#work();
    } catch (error) {
      const [errno, what] = error instanceof Malformed ? [1835, error.message] : [1105, 'internal error'];
      this.#refuse(new SqlError(errno, 'HY000', `Malformed communication packet: ${what}`));
      this.#socket.destroySoon();
    }
  }

  #work(): void {
    // A client that does not read its answers is not read either.
    while (!this.#socket.writableNeedDrain && !this.#socket.writableEnded) {
      const packet = this.#packets.next();
      if (packet === null) return;
      this.#sequence = packet.sequence + 1;
      try {
        if (this.#session === null) this.#introduced(packet.payload);
        else this.#command(this.#session, packet.payload);
      } catch (error) {
        if (!(error instanceof SqlError)) throw error;
        this.#send(failed(error));
      }
    }
    if (!this.#socket.writableEnded) this.#socket.pause();
  }

  #introduced(payload: Buffer): void {
    if (this.#asked !== null) return this.#signIn(this.#asked.user, this.#asked.database, payload);
    const { user, database, token, method } = readAnswer(payload);
    const other = switchMethod(method, this.#salt);
    if (other === null) return this.#signIn(user, database, token);
    this.#asked = { user, database };
    this.#send(other);
  }

  #signIn(user: string, database: string, token: Buffer): void {
    const password = this.#users.get(user);
    // The same work for a user that is none.
    const fits = passwordFits(password ?? 'nobody', this.#salt, token);
    if (password === undefined || !fits) {
      const used = token.length > 0 ? 'YES' : 'NO';
      return this.#refuse(
        new SqlError(1045, '28000', `Access denied for user '${user}'@'%' (using password: ${used})`),
      );
    }
    if (database !== '' && !this.#engine.has(database))
      return this.#refuse(new SqlError(1049, '42000', `Unknown database '${database}'`));
    this.#session = { id: this.#id, user, database: database === '' ? null : database, lastInsertId: 0 };
    this.#packets.limit = MAX_PACKET;
    this.#socket.setTimeout(this.#idleMs);
    this.#send(ok());
  }

  #command(me: Session, payload: Buffer): void {
    const read = new PacketReader(payload);
    switch (read.uint(1)) {
      case 0x01: // quit
        return void this.#socket.end();
      case 0x02: // init db
        this.#engine.use(me, read.rest());
        return this.#send(ok());
      case 0x03: // query
        return this.#answer(me, this.#engine.query(me, read.rest()), false);
      case 0x04: // field list
        for (const each of this.#engine.columns(me.database, read.text()))
          this.#send(column(each, me.database ?? ''), counted(''));
        return this.#send(eof());
      case 0x09: // statistics
        return this.#send(Buffer.from('Lateen'));
      case 0x16: // prepare
        return this.#prepare(me, read.rest());
      case 0x17: // execute
        return this.#execute(me, read);
      case 0x18: // long data: no answer is expected, so none can say that this server takes none
        throw new Malformed('parameters in pieces');
      case 0x19: // close statement: no answer
        return void this.#statements.delete(read.uint(4));
      case 0x0e: // ping
      case 0x1a: // reset statement
        return this.#send(ok());
      case 0x1b: // set option
        return this.#send(eof());
      case 0x1f: // reset connection
        this.#statements.clear();
        return this.#send(ok());
      default:
        throw new SqlError(1047, '08S01', 'Unknown command');
    }
  }

  #prepare(me: Session, sql: string): void {
    if (this.#statements.size >= MAX_STATEMENTS)
      throw new SqlError(1461, '42000', `Can't have more than ${MAX_STATEMENTS} prepared statements`);
    const prepared = this.#engine.prepare(me, sql);
    const id = ++this.#lastStatement;
    this.#statements.set(id, { prepared, types: null });
    const { params, columns } = prepared;
    this.#send(uint(0, 1), uint(id, 4), uint(columns.length, 2), uint(params, 2), uint(0, 1), uint(0, 2));
    for (let i = 0; i < params; i++) this.#send(column({ name: '?', table: '', type: 'text' }, ''));
    if (params > 0) this.#send(eof());
    for (const each of columns) this.#send(column(each, me.database ?? ''));
    if (columns.length > 0) this.#send(eof());
  }

  #execute(me: Session, read: PacketReader): void {
    const statement = this.#statements.get(read.uint(4));
    if (statement === undefined) throw new SqlError(1243, 'HY000', 'Unknown prepared statement');
    if (read.uint(1) !== 0) throw new SqlError(1235, '42000', "This server doesn't have cursors");
    read.bytes(4); // how often: always once
    const { values, types } = readParameters(read, statement.prepared.params, statement.types);
    statement.types = types;
    this.#answer(me, statement.prepared.run(me, values), true);
  }

  #answer(me: Session, result: Result, binary: boolean): void {
    for (const payload of payloads(result, me.database ?? '', binary)) this.#send(payload);
  }

  #send(...payload: readonly Buffer[]): void {
    this.#socket.write(framed(this.#sequence++, ...payload));
  }

  #refuse(error: SqlError): void {
    this.#socket.end(framed(this.#sequence++, failed(error)));
  }
}
