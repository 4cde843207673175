/** The token that proxies of a mesh show: kept in a file that they can read and applications cannot. */
import { randomBytes } from 'node:crypto';
import { linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

/** Of a token that somebody else has made. */
const SHORTEST = 16;
const LONGEST = 4096;

/** Reads it; makes it first where there is none. Throws an Error that says what is wrong with the file. */
export function keptJoinToken(file: string): string {
  try {
    return readJoinToken(file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  mkdirSync(dirname(file), { recursive: true });
  const made = `${file}.${process.pid}`;
  // Who may read it is up to the directory: proxies are another user than the control API.
  writeFileSync(made, `${randomBytes(32).toString('base64url')}\n`, { mode: 0o644 });
  try {
    // Whole or not at all, and never over the one of another who was faster.
    linkSync(made, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    rmSync(made, { force: true });
  }
  return readJoinToken(file);
}

/** Throws ENOENT and the like, or an Error that says what was expected. */
function readJoinToken(file: string): string {
  const token = readFileSync(file, 'utf8').trim();
  if (token.length >= SHORTEST && token.length <= LONGEST && /^[\w.~+/-]+=*$/.test(token)) return token;
  throw new Error(
    `expected one token of ${SHORTEST} to ${LONGEST} characters out of A-Z a-z 0-9 - . _ ~ + / in ${file}, got ${token.length} characters`,
  );
}
