/** pods/log: what a container wrote, as text, once or as it goes on. */
import { Readable } from 'node:stream';
import type { Call, KubeContext } from './call.ts';
import { containerOf } from './container.ts';
import { badRequest, unavailable } from './status-error.ts';
import { existing } from './verbs.ts';

export type Text = { readonly text: Readable };

/** Throws BadRequest for a container that is not there, ServiceUnavailable when nobody runs pods here. */
export function log({ store, runtime }: KubeContext, call: Call): Text {
  const { query, target } = call;
  const pod = existing({ store }, call);
  const container = containerOf(pod, query.get('container'));
  if (runtime === null) throw unavailable('no pods run here: the control API was started without a runner');
  const since = sinceOf(query);
  const timestamps = flag(query, 'timestamps');
  const lines = runtime.logs(target.namespace, target.name!, container, {
    follow: flag(query, 'follow'),
    tailLines: numberOf(query, 'tailLines'),
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
  const shown = since === null ? lines : Readable.from(linesSince(lines, since, timestamps));
  const limit = numberOf(query, 'limitBytes');
  return { text: limit === null ? shown : Readable.from(firstBytes(shown, limit)) };
}

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
  let rest = '';
  for await (const chunk of source) {
    const lines = (rest + String(chunk)).split('\n');
    rest = lines.pop()!;
    for (const line of lines) {
      const at = Date.parse(line.slice(0, line.indexOf(' ')));
      if (at >= since) yield `${timestamps ? line : line.slice(line.indexOf(' ') + 1)}\n`;
    }
  }
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
