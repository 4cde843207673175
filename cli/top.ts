/** `lateen top`: what is called most at this moment, by source, destination, method and path. */
import { Command, Option } from 'commander';
import type { TapLine } from '#control-api/tap-hub.ts';
import { Api, withApi } from './api.ts';
import { count, milliseconds } from './flags.ts';
import { columns } from './output.ts';
import { target, type Target } from './stat-target.ts';
import { percent, time } from './stat-rows.ts';
import { tapped, untilStopped } from './tap-stream.ts';
import { tapQuery, withTapFilter, type TapFlags } from './tap.ts';
import { TopTable, type TopRow } from './top-table.ts';

type Flags = TapFlags & {
  readonly rows: number;
  readonly every: number;
  readonly for?: number;
  readonly output: 'table' | 'json';
};

/** The control API's own limit. */
const RATE = '1000';

export const command = (): Command =>
  withTapFilter(withApi(new Command('top')))
    .description(
      'Shows which requests are made most, from the moment on when it is started. Numbers and ids in paths are shown as *. With more than\n' +
        '1000 requests a second it counts a sample, and says so. Without a terminal, or with --for, it prints one table at its end.',
    )
    .argument('[what]', 'deploy/NAME, svc/NAME or ns/NAME; otherwise the whole namespace', target)
    .addOption(new Option('--rows <count>', 'so many of them').default(20).argParser(count))
    .addOption(new Option('--every <time>', 'how often it is drawn anew').default(1000, '1s').argParser(milliseconds))
    .option('--for <time>', 'end after so long, and print one table', milliseconds)
    .addOption(new Option('-o, --output <format>', 'how to show it').choices(['table', 'json']).default('table'))
    .action(async (what: Target | undefined, flags: Flags) => {
      const stop = untilStopped();
      const live = process.stdout.isTTY && flags.for === undefined && flags.output === 'table';
      // Somebody reads a pipe until its end.
      const limit = flags.for ?? (live ? null : 10_000);
      const end = limit === null ? null : setTimeout(() => stop.abort(), limit);
      const table = new TopTable();
      const draw = live
        ? setInterval(() => process.stdout.write(screen(table, flags)), Math.max(flags.every, 100))
        : null;
      try {
        const query = { ...tapQuery(what, flags), rate: RATE, once: 'true' };
        for await (const line of tapped(new Api(flags.server), query, stop.signal)) take(table, line);
      } finally {
        if (end !== null) clearTimeout(end);
        if (draw !== null) clearInterval(draw);
      }
      if (flags.output === 'json') process.stdout.write(`${JSON.stringify(table.rows(flags.rows), null, 2)}\n`);
      else process.stdout.write(live ? screen(table, flags) : text(table, flags));
    });

function take(table: TopTable, line: TapLine): void {
  if (line.kind === 'request') table.add(line);
  if (line.kind === 'skipped') table.skipped += line.count;
}

/** From the upper left corner on; what was there is cleared. */
const screen = (table: TopTable, flags: Flags): string => `\u001b[H\u001b[2J${text(table, flags)}`;

function text(table: TopTable, { rows }: Flags): string {
  if (table.seen === 0) return 'No requests so far.\n';
  const head = ['SOURCE', 'DESTINATION', 'METHOD', 'PATH', 'COUNT', 'BEST', 'WORST', 'LAST', 'SUCCESS'];
  const shown = table.rows(rows);
  const more = table.size > shown.length ? `${table.size - shown.length} more rows\n` : '';
  const skipped = table.skipped === 0 ? '' : `${table.skipped} requests were too many to be counted\n`;
  return `${columns([head, ...shown.map(cells)])}${more}${skipped}`;
}

const cells = ({ source, destination, method, path, count, best, worst, last, success }: TopRow): string[] => [
  source,
  destination,
  method,
  path.length > 60 ? `${path.slice(0, 59)}…` : path,
  String(count),
  time(best),
  time(worst),
  time(last),
  percent(success),
];
