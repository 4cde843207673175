import assert from 'node:assert/strict';
import { describe, test } from 'vitest';
import { keep, poisonReads, Reads, writeLent } from './lent-reads.ts';

poisonReads();

/** What Node does with the option: asks for a buffer after each read, and goes on with the old one when there is none. */
class Handle {
  readonly reads = new Reads();
  buffer = this.reads.onread.buffer();

  read(bytes: string | Buffer): boolean {
    const length = typeof bytes === 'string' ? this.buffer.write(bytes, 'latin1') : bytes.copy(this.buffer);
    const more = this.reads.onread.callback(length);
    this.buffer = this.reads.onread.buffer() ?? this.buffer;
    return more;
  }
}

/** Takes its time: what is written is looked at when it is done. */
class SlowSink {
  readonly #pending: { readonly bytes: Buffer; readonly done: (() => void) | undefined }[] = [];

  write(bytes: Buffer, done?: () => void): boolean {
    this.#pending.push({ bytes, done });
    return false;
  }

  finish(): string {
    return this.#pending
      .splice(0)
      .map(({ bytes, done }) => {
        const text = bytes.toString('latin1');
        done?.();
        return text;
      })
      .join('');
  }
}

const much = (letter: string): Buffer => Buffer.alloc(40_000, letter);

describe('lent reads', () => {
  test('are told with exactly the bytes of the read', () => {
    const handle = new Handle();
    const seen: string[] = [];
    handle.reads.onBytes = (bytes) => seen.push(bytes.toString('latin1'));
    assert.equal(handle.read('first read'), true);
    assert.equal(handle.read('2nd'), true);
    assert.deepEqual(seen, ['first read', '2nd']);
  });

  test('what is kept survives the next read, of any connection', () => {
    const [one, other] = [new Handle(), new Handle()];
    assert.equal(one.buffer, other.buffer);
    let kept: Buffer | null = null;
    one.reads.onBytes = (bytes) => (kept = keep(bytes.subarray(2)));
    one.read('a-mine');
    other.read('b-others');
    assert.equal(String(kept), 'mine');
  });

  test('bytes that are nobody else’s are not copied', () => {
    const own = Buffer.from('own');
    assert.equal(keep(own), own);
    const sink = new SlowSink();
    writeLent(sink, own);
    assert.equal(sink.finish(), 'own');
  });

  test('what is being written is never read over, whoever reads meanwhile', () => {
    const sinks: [SlowSink, string][] = [];
    for (let i = 0; i < 20; i++) {
      const handle = new Handle();
      const sink = new SlowSink();
      const letter = String.fromCharCode(97 + i);
      handle.reads.onBytes = (bytes) => writeLent(sink, bytes);
      for (let n = 0; n < 5; n++) handle.read(much(letter));
      sinks.push([sink, letter]);
    }
    for (const [sink, letter] of sinks) assert.equal(sink.finish(), letter.repeat(200_000));
  });

  test('a stream of large reads goes through few blocks, without a copy', () => {
    const handle = new Handle();
    const seen = new Set<unknown>();
    handle.reads.onBytes = (bytes) =>
      writeLent({ write: (piece, done) => (seen.add(piece.buffer), setImmediate(done!), true) }, bytes);
    const common = handle.buffer;
    handle.read(much('x'));
    return (async () => {
      for (let n = 0; n < 50; n++) {
        handle.read(much('x'));
        assert.notEqual(handle.buffer, common);
        await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
      }
      assert.ok(seen.size <= 4, `${seen.size} blocks`);
    })();
  });

  test('who fills its block, and is taken from in time, reads into a large one, as long as there are some', () => {
    const full = 'x'.repeat(65_536);
    const written: (() => void)[] = [];
    const sink = { write: (_: Buffer, done?: () => void) => (written.push(done!), true) };
    const done = (): void => written.splice(0).forEach((tell) => tell());
    /** Blocks that so many connections have after some reads. */
    const large = (connections: number): number => {
      const handles = Array.from({ length: connections }, () => new Handle());
      let most = 0;
      for (let n = 0; n < 6; n++) {
        for (const handle of handles) {
          handle.reads.onBytes = (bytes) => writeLent(sink, bytes);
          handle.read(full);
        }
        done();
        const blocks = handles.map(({ buffer }) => buffer).filter(({ length }) => length === 262_144);
        assert.equal(new Set(blocks.map(({ buffer }) => buffer)).size, blocks.length);
        most = Math.max(most, blocks.length);
      }
      for (const handle of handles) handle.read('little');
      done();
      return most;
    };
    assert.equal(large(8), 8);
    assert.equal(large(40), 16);
    assert.equal(large(8), 8);
  });

  test('who is not taken from in time has a large one no longer', () => {
    const handle = new Handle();
    const sink = new SlowSink();
    handle.reads.onBytes = (bytes) => writeLent(sink, bytes);
    for (let n = 0; n < 5; n++) handle.read('x'.repeat(65_536));
    assert.equal(handle.buffer.length, 65_536);
    sink.finish();
  });

  test('a connection goes back to the common buffer when a message ends, or little comes', () => {
    const handle = new Handle();
    const common = handle.buffer;
    handle.read(much('x'));
    assert.notEqual(handle.buffer, common);
    handle.reads.onBytes = () => handle.reads.rest();
    handle.read(much('x'));
    assert.equal(handle.buffer, common);
    handle.reads.onBytes = () => undefined;
    handle.read(much('x'));
    handle.read('little');
    assert.equal(handle.buffer, common);
  });

  test('a connection that closes while it is told gives back its block once', () => {
    const [one, two, three] = [new Handle(), new Handle(), new Handle()];
    one.read(much('x'));
    one.reads.onBytes = () => one.reads.end();
    one.read(much('x'));
    one.reads.end();
    two.read(much('x'));
    three.read(much('x'));
    assert.notEqual(two.buffer, three.buffer);
  });
});
