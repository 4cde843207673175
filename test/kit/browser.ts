/** A real Chromium without a window: what a page looks like, as an image, and how much of that is of one colour. */
import { execFile, spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { inflateSync } from 'node:zlib';

/** Whether it is here, which LATEEN_REQUIRE_TOOLS=1 does not go without. */
export const CHROMIUM = spawnSync('chromium', ['--version'], { stdio: 'ignore', timeout: 20_000 }).status === 0;
if (!CHROMIUM && process.env['LATEEN_REQUIRE_TOOLS'] === '1')
  throw new Error('chromium is not installed, and LATEEN_REQUIRE_TOOLS=1 requires it');

/** It runs as root in CI, which its sandbox refuses, and is to ask nobody but the page. */
const QUIET = [
  ...['--headless', '--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-sync', '--hide-scrollbars'],
  ...['--disable-background-networking', '--disable-component-update', '--disable-dev-shm-usage'],
];
const TIMEOUT_MS = 60_000;

/** Where what a test leaves for people goes: $LATEEN_ARTEFACTS, or a directory that git does not see. */
export const ARTEFACTS = process.env['LATEEN_ARTEFACTS'] ?? new URL('../compose/.artefacts', import.meta.url).pathname;

/** The page as an image of 1200 × 800, kept as `name`; its bytes. */
export async function screenshot(url: string, name: string): Promise<Buffer> {
  const profile = await mkdtemp(join(tmpdir(), 'lateen-chromium-'));
  await mkdir(ARTEFACTS, { recursive: true });
  const file = join(ARTEFACTS, name);
  const args = [...QUIET, `--user-data-dir=${profile}`, '--window-size=1200,800', `--screenshot=${file}`, url];
  try {
    await promisify(execFile)('chromium', args, { timeout: TIMEOUT_MS, killSignal: 'SIGKILL' });
    return await readFile(file);
  } finally {
    await rm(profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  }
}

/** How many pixels of a PNG (8 bits a channel, RGB or RGBA, not interlaced: what Chromium makes) `is` of the colour wanted. */
export function countPixels(png: Buffer, is: (red: number, green: number, blue: number) => boolean): number {
  const width = png.readUInt32BE(16);
  const channels = { 2: 3, 6: 4 }[png[25]!];
  if (png.toString('latin1', 1, 4) !== 'PNG' || png[24] !== 8 || channels === undefined || png[28] !== 0)
    throw new Error('expected a PNG of 8 bits a channel, RGB or RGBA, not interlaced');
  const packed: Buffer[] = [];
  for (let at = 8; at < png.length; at += 12 + png.readUInt32BE(at))
    if (png.toString('latin1', at + 4, at + 8) === 'IDAT')
      packed.push(png.subarray(at + 8, at + 8 + png.readUInt32BE(at)));
  const data = inflateSync(Buffer.concat(packed));
  const length = width * channels;
  let above = Buffer.alloc(length);
  let count = 0;
  for (let start = 0; start < data.length; start += length + 1) {
    const line = data.subarray(start + 1, start + 1 + length);
    unfilter(data[start]!, line, above, channels);
    for (let x = 0; x < length; x += channels) if (is(line[x]!, line[x + 1]!, line[x + 2]!)) count++;
    above = line;
  }
  return count;
}

/** Takes back what PNG did to one line so that it packs well (W3C PNG, section 9). */
function unfilter(type: number, line: Buffer, above: Buffer, channels: number): void {
  for (let x = 0; x < line.length; x++) {
    const a = x < channels ? 0 : line[x - channels]!;
    const b = above[x]!;
    const c = x < channels ? 0 : above[x - channels]!;
    line[x] = line[x]! + [0, a, b, (a + b) >> 1, paeth(a, b, c)][type]!;
  }
}

function paeth(a: number, b: number, c: number): number {
  const [pa, pb, pc] = [Math.abs(b - c), Math.abs(a - c), Math.abs(a + b - 2 * c)];
  return pa <= pb && pa <= pc ? a : pb <= pc ? b : c;
}
