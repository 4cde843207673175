/** The files under /static: a closed list, read once, so that no path from outside ever reaches the disk. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Reply } from '../service.ts';

const TYPES = { 'bookinfo.css': 'text/css; charset=utf-8', 'book.svg': 'image/svg+xml' };

const FILES = new Map(
  Object.entries(TYPES).map(([name, type]) => {
    const body = readFileSync(new URL(`./static/${name}`, import.meta.url));
    const etag = `"${createHash('sha256').update(body).digest('base64url').slice(0, 16)}"`;
    return [`/static/${name}`, { body, headers: { 'content-type': type, etag, 'cache-control': 'max-age=300' } }];
  }),
);

/** Null: there is no such file. */
export function asset(path: string): Reply | null {
  const file = FILES.get(path);
  return file === undefined ? null : { status: 200, ...file };
}
