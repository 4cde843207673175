/** A client of raw bytes that reads its answers with llhttp, says goodbye when it has what it waits for, and listens to the very end. */
import { connect } from 'node:net';
import { LlhttpReader, type Seen } from '../conformance/llhttp.ts';

export type Heard = {
  /** Final answers in order; the last may be incomplete. */
  readonly answers: readonly Seen[];
  readonly informational: number;
  /** llhttp's complaint about what came back; null: none. */
  readonly error: string | null;
  /** `late`: neither the answers nor the end came in time. */
  readonly ended: 'end' | 'reset' | 'late';
  /** All that came, latin1, at most 64 kB of it. */
  readonly text: string;
};

export type Talk = {
  readonly port: number;
  readonly host?: string;
  readonly segments: readonly string[];
  /** Of the requests in the order of their answers. */
  readonly methods: readonly string[];
  /** So many final answers, then the client's FIN; Infinity: the other side ends it. */
  readonly expect: number;
  readonly limitMs?: number;
};

export function converse({ port, host, segments, methods, expect, limitMs = 5000 }: Talk): Promise<Heard> {
  const { promise, resolve } = Promise.withResolvers<Heard>();
  const reader = new LlhttpReader('response', (nth) => methods[nth] ?? 'GET');
  const socket = connect({ port, host: host ?? '127.0.0.1', noDelay: true });
  let text = '';
  let written = false;
  let over = false;
  const finish = (ended: Heard['ended']): void => {
    if (over) return;
    over = true;
    clearTimeout(timer);
    if (ended === 'end') reader.end();
    reader.close();
    socket.destroy();
    const answers = reader.messages.filter((m) => m.status >= 200 || m.status === 101);
    resolve({ answers, informational: reader.messages.length - answers.length, error: reader.error, ended, text });
  };
  const timer = setTimeout(() => finish('late'), limitMs);
  const look = (): void => {
    if (written && reader.finals >= expect) socket.end();
  };
  socket.on('data', (bytes: Buffer) => {
    if (text.length < 65_536) text += bytes.latin1Slice();
    reader.feed(bytes);
    if (!over) look();
  });
  socket.on('end', () => finish('end'));
  socket.on('error', () => finish('reset'));
  socket.on('close', () => finish('reset'));
  void (async () => {
    for (const segment of segments) {
      if (over) return;
      socket.write(segment, 'latin1');
      if (segments.length > 1) await new Promise((done) => setImmediate(done));
    }
    written = true;
    look();
  })();
  return promise;
}
