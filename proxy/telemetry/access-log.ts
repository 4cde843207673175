/**
 * Access logs: every line that the configuration asks for, in its format, to its file. What the settings say is linked once per snapshot;
 * a request costs what its lines cost.
 */
import { chance, systemRandom, type Random } from '../core/random.ts';
import type { Family, SeriesWriter } from '../core/registry.ts';
import type { Exchange } from '../live/exchange.ts';
import type { ProxyNode } from '../snapshot/node.ts';
import type { LogFormat, LogSettings, TwoSided } from '../snapshot/telemetry.ts';
import { LogFiles, type LogFilesOptions, type Sink } from './access-log-files.ts';
import { accessLine } from './access-log-line.ts';
import { compileExpression } from './evaluate.ts';
import { compileFormat, compileJsonLine } from './format.ts';
import { entryLine } from './log-entry.ts';
import { WallClock } from './wall-clock.ts';

export type AccessLog = {
  /** Puts the settings of a new snapshot in force. Lines of before are in the files they were meant for. */
  use(settings: TwoSided<readonly LogSettings[]>): void;
  /** Call once a request or connection, at its end. Never throws, never waits. */
  record(x: Exchange): void;
  /** Resolves when everything recorded so far is written. */
  flush(): Promise<void>;
  /** After a log rotation (SIGUSR1). Rejects when a file cannot be opened; its old one is kept then. */
  reopen(): Promise<void>;
};

export type AccessLogOptions = LogFilesOptions & { readonly node: ProxyNode; readonly random?: Random };

const LINES_DROPPED: Family = {
  name: 'lateen_access_log_dropped_lines_total',
  help: 'Access log lines lost because they could not be written in time.',
  type: 'counter',
  labels: [],
  bounds: [],
  kept: 0,
};

/** What `onDrop` is to be, for lost lines to be seen in the metrics. */
export function countDroppedLines(writer: SeriesWriter): (lines: number) => void {
  const dropped = writer.counter(LINES_DROPPED, []);
  return (lines) => dropped.add(lines);
}

/** One log, linked. */
type Log = {
  /** Null: every request. */
  readonly wants: ((x: Exchange) => boolean) | null;
  /** Line feed included. */
  readonly line: (x: Exchange) => string;
  readonly sink: Sink;
};

/** Throws when `to` is a path that cannot be opened. Nothing is logged before `use`. */
export function createAccessLog(options: AccessLogOptions, clock: WallClock = new WallClock()): AccessLog {
  const { node, random = systemRandom } = options;
  const files = new LogFiles(options);
  let server: readonly Log[] = [];
  let client: readonly Log[] = [];

  const link = (settings: LogSettings): Log[] => {
    const sink = files.sink(settings.path);
    if (sink === null) return [];
    return [{ wants: wanted(settings, node, clock, random), line: lineOf(settings.format, node, clock), sink }];
  };
  return {
    use(settings) {
      files.only([...settings.server, ...settings.client].map(({ path }) => path));
      server = settings.server.flatMap(link);
      client = settings.client.flatMap(link);
    },
    record(x) {
      const logs = x.direction === 'inbound' ? server : client;
      for (let i = 0; i < logs.length; i++) {
        const { wants, line, sink } = logs[i]!;
        if (wants === null || wants(x)) sink.append(line(x));
      }
    },
    flush: () => files.flush(),
    reopen: () => files.reopen(),
  };
}

function lineOf(format: LogFormat, node: ProxyNode, clock: WallClock): (x: Exchange) => string {
  switch (format.kind) {
    case 'default':
      return (x) => accessLine(x, x.configVersion, clock);
    case 'text': {
      // As Istio does it: a format that does not end its line gets an end.
      const text = format.format.endsWith('\n') ? format.format : `${format.format}\n`;
      return compileFormat(text, node, 'text', clock);
    }
    case 'json':
      return compileJsonLine(format.fields, node, clock);
    case 'entry':
      return entryLine(format, node, clock);
  }
}

/** Which are logged: those of the filter, and of these so many percent; what went wrong always. */
function wanted(
  { filter, percent }: LogSettings,
  node: ProxyNode,
  clock: WallClock,
  random: Random,
): ((x: Exchange) => boolean) | null {
  const passes = filter === null ? null : compileExpression(filter, node, clock);
  if (percent >= 100) return passes === null ? null : (x) => passes(x) === true;
  return (x) => (passes === null || passes(x) === true) && (isSampled(x, percent, random) || wentWrong(x));
}

/**
 * As Envoy's runtime_filter: by the request id, so that all proxies on the way log the same requests (and in tenths of a thousand);
 * by chance where there is none.
 */
function isSampled({ requestId }: Exchange, percent: number, random: Random): boolean {
  const digits = Number.parseInt(requestId.slice(0, 8), 16);
  return Number.isNaN(digits) || requestId.length !== 36 ? chance(random, percent) : digits % 10_000 < percent * 100;
}

/** Failed, was cut off, or was not answered: by status, gRPC status or flag. A delay that was asked for (DI) is no error. */
const wentWrong = (x: Exchange): boolean =>
  x.status >= 500 || (x.status === 0 && !x.opaque) || x.grpcStatus > 0 || (x.flags !== '' && x.flags !== 'DI');
