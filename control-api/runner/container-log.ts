/** What a container wrote: the newest lines in memory for `kubectl logs`, and a bounded file for later. */
import { closeSync, mkdirSync, openSync, renameSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { Readable } from 'node:stream';
import type { LogOptions } from '../pod-runtime.ts';

type Line = { readonly at: number; readonly text: string };

const MAX_LINES = 5000;
/** Of all lines kept in memory together, and of one line (a longer one is cut in pieces). */
const MAX_KEPT = 2 * 1024 * 1024;
const MAX_LINE = 16 * 1024;
const MAX_FILE = 8 * 1024 * 1024;
/** A follower that reads slower than this far behind is cut off rather than kept in memory. */
const MAX_LAG = 8 * 1024 * 1024;

export class ContainerLog {
  readonly #now: () => number;
  readonly #file: LogFile | null;
  readonly #followers = new Set<Readable>();
  #lines: Line[] = [];
  #size = 0;
  #previous: readonly Line[] = [];
  /** Streams that may still bring something. */
  #open = 0;
  #over = false;

  /** `file`: null keeps lines in memory alone. */
  constructor(file: string | null, now: () => number) {
    this.#now = now;
    this.#file = file === null ? null : new LogFile(file);
  }

  /** A process starts: what the one before wrote becomes `previous`. Reads both streams to their ends. */
  attach(streams: readonly Readable[]): void {
    if (this.#lines.length > 0) this.#previous = this.#lines;
    [this.#lines, this.#size] = [[], 0];
    this.#over = false;
    for (const stream of streams) this.#read(stream);
  }

  /** A stream of text; it ends at once unless `follow`. */
  read({ follow, tailLines, previous, timestamps }: LogOptions): Readable {
    const lines = previous ? this.#previous : this.#lines;
    const chosen = tailLines === null ? lines : tailLines === 0 ? [] : lines.slice(-tailLines);
    const out = new Readable({ read() {} });
    const show = timestamps ? stamped : plain;
    for (const line of chosen) out.push(show(line));
    if (!follow || previous || (this.#over && this.#open === 0)) {
      out.push(null);
      return out;
    }
    Object.assign(out, { show });
    this.#followers.add(out);
    out.once('close', () => this.#followers.delete(out));
    return out;
  }

  /** Nothing will run here any more: followers end with the last line. What was written can be read as before. */
  end(): void {
    this.#over = true;
    if (this.#open === 0) this.close();
  }

  /** Ends every follower: there will be no more. */
  close(): void {
    for (const follower of this.#followers) follower.push(null);
    this.#followers.clear();
    this.#file?.close();
  }

  #read(stream: Readable): void {
    let rest = '';
    this.#open++;
    stream.setEncoding('utf8');
    stream.on('data', (chunk: string) => {
      const parts = (rest + chunk).split('\n');
      rest = parts.pop() ?? '';
      for (const part of parts) this.#add(part);
      for (; rest.length > MAX_LINE; rest = rest.slice(MAX_LINE)) this.#add(rest.slice(0, MAX_LINE));
    });
    stream.on('error', () => {});
    stream.on('close', () => {
      if (rest !== '') this.#add(rest);
      rest = '';
      this.#open--;
      if (this.#over) this.end();
    });
  }

  #add(text: string): void {
    const line = { at: this.#now(), text };
    this.#lines.push(line);
    this.#size += text.length;
    if (this.#lines.length > MAX_LINES * 1.2 || this.#size > MAX_KEPT) this.#trim();
    this.#file?.write(stamped(line));
    for (const follower of this.#followers) {
      if (follower.readableLength > MAX_LAG) follower.destroy();
      else follower.push((follower as Readable & { show: (l: Line) => string }).show(line));
    }
  }

  #trim(): void {
    let drop = Math.max(0, this.#lines.length - MAX_LINES);
    let size = this.#lines.slice(drop).reduce((sum, l) => sum + l.text.length, 0);
    while (size > MAX_KEPT * 0.8 && drop < this.#lines.length - 1) size -= this.#lines[drop++]!.text.length;
    this.#lines = this.#lines.slice(drop);
    this.#size = size;
  }
}

const plain = (line: Line): string => `${line.text}\n`;
const stamped = (line: Line): string => `${new Date(line.at).toISOString()} ${line.text}\n`;

/** Appends; when it is full it becomes `FILE.1` and starts anew. A disk that cannot be written is no reason to stop an application. */
class LogFile {
  readonly #path: string;
  #fd: number | null = null;
  #size = 0;
  #pending = '';
  #scheduled = false;

  constructor(path: string) {
    this.#path = path;
  }

  write(text: string): void {
    this.#pending += text;
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => this.#flush());
  }

  close(): void {
    this.#flush();
    if (this.#fd !== null) closeSync(this.#fd);
    this.#fd = null;
  }

  #flush(): void {
    this.#scheduled = false;
    if (this.#pending === '') return;
    const text = this.#pending;
    this.#pending = '';
    try {
      if (this.#fd === null) this.#open();
      else if (this.#size > MAX_FILE) this.#turn();
      this.#size += writeSync(this.#fd!, text);
    } catch {
      this.#fd = null;
    }
  }

  #open(): void {
    mkdirSync(dirname(this.#path), { recursive: true });
    this.#fd = openSync(this.#path, 'a');
  }

  #turn(): void {
    closeSync(this.#fd!);
    renameSync(this.#path, `${this.#path}.1`);
    this.#size = 0;
    this.#open();
  }
}
