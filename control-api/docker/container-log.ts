/** The log of a container, as Docker keeps it: text as it comes, no faster than it is read. */
import { PassThrough, pipeline, Transform, type Readable } from 'node:stream';
import type { LogOptions } from '../pod-runtime.ts';
import { badRequest } from '../kube/status-error.ts';
import type { Container } from './compose-container.ts';
import type { Engine } from './engine.ts';
import { FrameReader } from './frames.ts';

/** stdout and stderr in the order in which Docker got them. Whoever destroys it ends the request to Docker. */
export async function containerLog(
  engine: Engine,
  { id, service }: Container,
  { follow, tailLines, previous, timestamps }: LogOptions,
): Promise<Readable> {
  if (previous)
    throw badRequest(
      `Docker keeps one log of service ${service} over all its restarts: leave out --previous (-p), and see the lines before the last start`,
    );
  const text = (await hasTerminal(engine, id)) ? new PassThrough() : framesToText();
  const path = (wanted: Record<string, string>): string => {
    const query = new URLSearchParams({ stdout: '1', stderr: '1', timestamps: timestamps ? '1' : '0', ...wanted });
    return `/containers/${id}/logs?${query.toString()}`;
  };
  const tail = tailLines === null ? 'all' : String(tailLines);
  if (follow) {
    // Docker 20.10 sends the head of its answer with the first line, which may be long in coming. What it would refuse is asked before.
    (await engine.open(path({ tail: '0' }))).destroy();
    const end = new AbortController();
    text.once('close', () => end.abort());
    engine.open(path({ tail, follow: '1' }), end.signal).then(
      (answer) => carry(answer, text),
      (error: Error) => text.destroy(error),
    );
  } else carry(await engine.open(path({ tail })), text);
  return text;
}

/** What breaks is told to whoever reads `text`. */
const carry = (answer: Readable, text: Transform): void => void pipeline(answer, text, () => {});

/** Without one, output comes in frames; Docker 20.10 does not say so in the answer itself. */
async function hasTerminal(engine: Engine, id: string): Promise<boolean> {
  const found = (await engine.ask('GET', `/containers/${id}/json`)) as {
    readonly Config: { readonly Tty: boolean };
  } | null;
  if (found === null) throw badRequest(`container ${id.slice(0, 12)} has just been removed`);
  return found.Config.Tty;
}

function framesToText(): Transform {
  const text = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      try {
        frames.push(chunk);
        done();
      } catch (error) {
        done(error as Error);
      }
    },
  });
  const frames = new FrameReader((_output, bytes) => text.push(bytes));
  return text;
}
