/** pods/log: what a container wrote, as text, once or as it goes on. */
import { Readable } from 'node:stream';
import { elsewhere, isRegistered } from '../registered-pod.ts';
import type { Call, KubeContext } from './call.ts';
import { containerOf } from './container.ts';
import { runs } from './runs.ts';
import { badRequest, unavailable } from './status-error.ts';
import { existing } from './verbs.ts';

export type Text = { readonly text: Readable };

/** Throws BadRequest for a container that is not there, ServiceUnavailable when nobody runs pods here. */
export async function log({ store, runtime }: KubeContext, call: Call): Promise<Text> {
  const { query, target } = call;
  const pod = existing({ store }, call);
  const wanted = query.get('container');
  if (isRegistered(pod) && !runs(runtime, pod))
    throw unavailable(elsewhere(pod, 'logs', wanted === '' ? null : wanted));
  const container = containerOf(pod, wanted);
  if (!runs(runtime, pod)) throw unavailable('no pods run here: the control API was started without a runner');
  const since = sinceOf(query);
  const timestamps = flag(query, 'timestamps');
  const tailLines = numberOf(query, 'tailLines');
  const limit = numberOf(query, 'limitBytes');
  const lines = await runtime.logs(target.namespace, target.name!, container, {
    // Of a HEAD nobody reads, so nobody would end it.
    follow: flag(query, 'follow') && call.method !== 'HEAD',
    tailLines,
    previous: flag(query, 'previous'),
    timestamps: timestamps || since !== null,
  });
  if (lines === null) {
    const which = flag(query, 'previous') ? 'previous terminated container' : 'container';
    const { phase = '' } = (pod.status ?? {}) as { readonly phase?: string };
    const why = ['Succeeded', 'Failed'].includes(phase)
      ? 'it ended before the mesh was started anew, and logs are not kept over that'
      : 'it has not run yet';
    throw badRequest(`${which} "${container}" in pod "${target.name}" is not found: ${why}`);
  }
  const shown = since === null ? lines : through(lines, (source) => linesSince(source, since, timestamps));
  return { text: limit === null ? shown : through(shown, (source) => firstBytes(source, limit)) };
}

/** What `make` makes of a source. Whoever lets go of it lets go of the source, also while that has nothing to give. */
function through(source: Readable, make: (source: Readable) => AsyncGenerator<string | Buffer>): Readable {
  const made = Readable.from(make(source));
  const destroy = made._destroy.bind(made);
  // By itself it would wait for the source's next bytes, which may never come.
  made._destroy = (error, done) => {
    source.destroy();
    destroy(error, done);
  };
  return made;
}

/** Characters; the rest of a longer line is left out where lines are told apart. */
const LONGEST_LINE = 1024 * 1024;

const flag = (query: URLSearchParams, name: string): boolean => ['true', '1'].includes(query.get(name) ?? '');

function numberOf(query: URLSearchParams, name: string): number | null {
  const text = query.get(name);
  if (text === null || text === '') return null;
  const value = Number(text);
  if (Number.isSafeInteger(value) && value >= 0) return value;
  throw badRequest(`${name}: expected a whole number from 0, got "${text}"`);
}

/** Milliseconds since 1970 from which on lines are wanted; null: all. */
function sinceOf(query: URLSearchParams): number | null {
  const seconds = numberOf(query, 'sinceSeconds');
  if (seconds !== null) return Date.now() - seconds * 1000;
  const text = query.get('sinceTime');
  if (text === null || text === '') return null;
  const at = Date.parse(text);
  if (Number.isNaN(at)) throw badRequest(`sinceTime: expected a time such as 2026-01-31T12:00:00Z, got "${text}"`);
  return at;
}

/** Each line begins with its time. */
async function* linesSince(source: Readable, since: number, timestamps: boolean): AsyncGenerator<string> {
  const shown = (line: string): string | null => {
    const at = line.indexOf(' ');
    if (!(Date.parse(line.slice(0, at)) >= since)) return null;
    return timestamps ? line : line.slice(at + 1);
  };
  let rest = '';
  for await (const chunk of source.setEncoding('utf8')) {
    const lines = (rest + String(chunk)).split('\n');
    rest = lines.pop()!.slice(0, LONGEST_LINE);
    for (const line of lines) {
      const text = shown(line);
      if (text !== null) yield `${text}\n`;
    }
  }
  const text = shown(rest);
  if (text !== null) yield text;
}

async function* firstBytes(source: Readable, limit: number): AsyncGenerator<Buffer> {
  let left = limit;
  for await (const chunk of source) {
    const bytes = Buffer.from(chunk as Uint8Array);
    yield bytes.subarray(0, left);
    left -= bytes.length;
    if (left <= 0) return;
  }
}
