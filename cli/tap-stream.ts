/** A tap of the control API, as `tap` and `top` read it: lines of JSON, until either side ends it. */
import type { TapLine } from '#control-api/tap-hub.ts';
import type { Api } from './api.ts';
import { CliError } from './cli-error.ts';

/** One line of a large request is some 10 kB. */
const MAX_LINE = 1024 * 1024;

/** Ends when `stop` is aborted. Throws CliError when the control API refuses it, is none of ours, or goes away. */
export async function* tapped(
  api: Api,
  query: Readonly<Record<string, string | undefined>>,
  stop: AbortSignal,
): AsyncGenerator<TapLine> {
  const given = Object.entries(query).filter((pair): pair is [string, string] => pair[1] !== undefined);
  try {
    const text = await api.stream(`/lateen/v1/tap?${new URLSearchParams(given).toString()}`, stop);
    if (text === null) throw new CliError(`${api.server} is no control API of lateen: it knows no /lateen/v1/tap.`);
    for await (const line of linesOf(text)) yield JSON.parse(line) as TapLine;
  } catch (error) {
    if (stop.aborted) return;
    if (error instanceof CliError) throw error;
    throw new CliError(`the control API at ${api.server} ended the stream (${(error as Error).message}).`);
  }
  if (!stop.aborted) throw new CliError(`the control API at ${api.server} ended the stream.`);
}

/** Lines of text that comes in pieces. */
export async function* linesOf(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of chunks) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
    rest = lines.pop()!;
    if (rest.length > MAX_LINE) throw new Error('a line is too long');
    yield* lines;
  }
  if (rest !== '') yield rest;
}

/** Aborted when the terminal ends the program, so that it ends in peace. */
export function untilStopped(): AbortController {
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort());
  return stop;
}
