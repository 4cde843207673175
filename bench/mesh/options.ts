/** What `npm run load` is asked for. */
import { parseArgs } from 'node:util';

export type Options = {
  readonly url: string;
  readonly control: string;
  readonly connections: number;
  /** Seconds. */
  readonly duration: number;
  /** Requests a second in all; null: as many as the mesh answers. */
  readonly rate: number | null;
  /** What `lateen roll` replaces meanwhile; null: nothing. */
  readonly roll: string | null;
  readonly json: boolean;
};

export const USAGE = `npm run load -- [options]      drives the running mesh (docker compose up, or npm start) through its gateway

  --url URL            page to ask for (http://localhost:8080/productpage)
  --control URL        control API (http://localhost:8001)
  --connections N      (16)
  --duration SECONDS   (20); goes on until --roll is done
  --rate N             requests a second in all; by default as many as are answered
  --roll WHAT          replace pods under this load, as lateen roll does: --roll reviews
  --json               the report as JSON

Exit code 1 when a request failed: no answer, another status than 2xx, or a page that lacks a part.
`;

/** Null: help was asked for. Throws an Error that names the option. */
export function parseOptions(argv: readonly string[]): Options | null {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      url: { type: 'string', default: 'http://localhost:8080/productpage' },
      control: { type: 'string', default: 'http://localhost:8001' },
      connections: { type: 'string', default: '16' },
      duration: { type: 'string', default: '20' },
      rate: { type: 'string' },
      roll: { type: 'string' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) return null;
  return {
    url: urlOf('--url', values.url),
    control: urlOf('--control', values.control).replace(/\/$/, ''),
    connections: whole('--connections', values.connections),
    duration: whole('--duration', values.duration),
    rate: values.rate === undefined ? null : whole('--rate', values.rate),
    roll: values.roll ?? null,
    json: values.json,
  };
}

function whole(option: string, text: string): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value > 0) return value;
  throw new Error(`${option}: expected a whole number from 1, got "${text}"`);
}

function urlOf(option: string, text: string): string {
  if (URL.parse(text)?.protocol === 'http:') return text;
  throw new Error(`${option}: expected a URL such as http://localhost:8080/productpage, got "${text}"`);
}
