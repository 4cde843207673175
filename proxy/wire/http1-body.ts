/** Where a message body ends: content-length, chunked (RFC 9112 section 7.1) or the end of the connection. Incremental and strict. */
import type { HeaderList } from '../core/header-list.ts';
import { CR, LF, parseFields, refuse, type HeadProblem } from './http1-fields.ts';
import type { Framing } from './http1-head.ts';

/** Who takes the payload; slices point into the buffer that was read, and are lent like it (`lent-reads.ts`). */
export type BodyConsumer = { onBodyData(chunk: Buffer): void };

/** A chunk-size line with its extensions; long ones are an attack. */
const MAX_CHUNK_LINE = 1024;
const MAX_TRAILERS = 16_384;
const MAX_TRAILER_FIELDS = 50;

/** Size, then well-formed extensions only: `;name`, `;name=token`, `;name="quoted"`. No white space anywhere. */
const CHUNK_LINE =
  /^([0-9A-Fa-f]{1,13})(?:;[!#$%&'*+\-.^_`|~0-9A-Za-z]+(?:=(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]+|"(?:[\t !#-[\]-~\x80-\xff]|\\[\t -~\x80-\xff])*"))?)*$/;

const STATE = { data: 0, size: 1, dataEnd: 2, trailers: 3, done: 4 } as const;

export class BodyReader {
  done: boolean;
  problem: HeadProblem | null = null;
  /** Of a chunked body, once it is done. */
  trailers: HeaderList = [];
  readonly framing: Framing;
  #state: number;
  /** Bytes left of the body (`length`) or of the chunk. */
  #left: number;
  /** An unfinished line (or trailer section) of earlier reads. */
  #carry = '';

  constructor(framing: Framing, contentLength: number) {
    this.framing = framing;
    this.#left = contentLength;
    this.#state = framing === 'chunked' ? STATE.size : STATE.data;
    this.done = framing === 'none' || (framing === 'length' && contentLength === 0);
  }

  /** Reads on from `from`; returns where it stopped: the end of the bytes, or the first byte after the message. */
  read(bytes: Buffer, from: number, to: BodyConsumer): number {
    if (this.framing === 'chunked') return this.#readChunked(bytes, from, to);
    if (this.framing === 'close') {
      if (from < bytes.length) to.onBodyData(from === 0 ? bytes : bytes.subarray(from));
      return bytes.length;
    }
    return this.#readData(bytes, from, to);
  }

  /** The peer sent its FIN; true when the message is complete by that. */
  finish(): boolean {
    if (this.framing === 'close') this.done = true;
    return this.done;
  }

  #readData(bytes: Buffer, from: number, to: BodyConsumer): number {
    const n = Math.min(this.#left, bytes.length - from);
    if (n > 0) {
      this.#left -= n;
      if (this.#left === 0 && this.framing === 'length') this.done = true;
      to.onBodyData(n === bytes.length ? bytes : bytes.subarray(from, from + n));
    }
    return from + n;
  }

  #readChunked(bytes: Buffer, from: number, to: BodyConsumer): number {
    let p = from;
    while (p < bytes.length && !this.done && this.problem === null) {
      if (this.#state === STATE.data) {
        p = this.#readData(bytes, p, to);
        if (this.#left === 0) this.#state = STATE.dataEnd;
      } else if (this.#state === STATE.trailers) {
        p = this.#readTrailers(bytes, p);
      } else {
        p = this.#readLine(bytes, p);
      }
    }
    return p;
  }

  /** A chunk-size line, or the CRLF after chunk data. */
  #readLine(bytes: Buffer, from: number): number {
    const lf = bytes.indexOf(LF, from);
    const end = lf < 0 ? bytes.length : lf + 1;
    const limit = this.#state === STATE.dataEnd ? 2 : MAX_CHUNK_LINE;
    if (this.#carry.length + end - from > limit) return this.#refuse('http1.invalid_chunk_size', end);
    const line = this.#carry + bytes.latin1Slice(from, end);
    if (lf < 0) {
      // Refused as early as can be: a peer must not make us wait for the end of what is already wrong.
      if (this.#state === STATE.dataEnd && line.charCodeAt(0) !== CR)
        return this.#refuse('http1.invalid_chunk_end', end);
      this.#carry = line;
      return end;
    }
    this.#carry = '';
    if (!line.endsWith('\r\n')) return this.#refuse('http1.invalid_chunk_size', end);
    if (this.#state === STATE.dataEnd) {
      if (line.length !== 2) return this.#refuse('http1.invalid_chunk_end', end);
      this.#state = STATE.size;
      return end;
    }
    const match = CHUNK_LINE.exec(line.slice(0, -2));
    if (match === null) return this.#refuse('http1.invalid_chunk_size', end);
    this.#left = Number.parseInt(match[1]!, 16);
    this.#state = this.#left === 0 ? STATE.trailers : STATE.data;
    return end;
  }

  #readTrailers(bytes: Buffer, from: number): number {
    let section = this.#carry + bytes.latin1Slice(from, Math.min(bytes.length, from + MAX_TRAILERS + 4));
    const carried = this.#carry.length;
    let end: number;
    if (section.startsWith('\r\n')) end = 2;
    else {
      const at = section.indexOf('\r\n\r\n');
      end = at < 0 ? -1 : at + 4;
    }
    if (end < 0) {
      if (section.length > MAX_TRAILERS) return this.#refuse('http1.trailers_too_large', bytes.length);
      if (/(?:^|[^\r])\n/.test(section)) return this.#refuse('http1.invalid_trailer', bytes.length);
      this.#carry = section;
      return bytes.length;
    }
    this.#carry = '';
    if (end > 2) {
      section = section.slice(0, end - 2);
      const raw = Buffer.from(section, 'latin1');
      const problem = parseFields(raw, section, 0, 0, raw.length, MAX_TRAILER_FIELDS, this.trailers);
      if (problem !== null) return this.#refuse('http1.invalid_trailer', bytes.length);
      dropForbidden(this.trailers);
    }
    this.done = true;
    this.#state = STATE.done;
    return from + end - carried;
  }

  #refuse(details: string, at: number): number {
    this.problem = refuse(400, details);
    return at;
  }
}

/** Trailers that would change framing, routing, identity or content when merged into headers never pass (RFC 9110 section 6.5.1). */
const FORBIDDEN_TRAILER =
  /^(?:transfer-encoding|content-.*|host|te|trailer|connection|keep-alive|proxy-.*|upgrade|expect|authorization|cookie|set-cookie|x-forwarded-.*|forwarded|via|x-real-ip|end-user|x-envoy-.*|x-istio-.*|x-lateen-.*|x-request-id|b3|x-b3-.*|traceparent|tracestate|cache-control|range|if-.*|max-forwards|pragma|age|date|expires|location|vary|warning|www-authenticate|retry-after)$/i;

function dropForbidden(trailers: HeaderList): void {
  for (let i = trailers.length - 2; i >= 0; i -= 2)
    if (FORBIDDEN_TRAILER.test(trailers[i]!.replaceAll('_', '-'))) trailers.splice(i, 2);
}
