/** A third opinion: the llhttp that undici carries as WebAssembly, another release of the parser than Node's own. */
import { createRequire } from 'node:module';
import type { Seen } from './llhttp.ts';

type Exports = {
  readonly memory: WebAssembly.Memory;
  _initialize(): void;
  malloc(bytes: number): number;
  free(at: number): void;
  llhttp_alloc(type: number): number;
  llhttp_free(parser: number): void;
  llhttp_execute(parser: number, at: number, bytes: number): number;
  llhttp_finish(parser: number): number;
  llhttp_get_error_reason(parser: number): number;
};

const TYPE = { request: 1, response: 2 } as const;
const OK = 0;

let message: Partial<Seen> & Pick<Seen, 'headers' | 'trailers' | 'body'>;
let headed = false;
const text = (at: number, bytes: number): string => Buffer.from(wasm.memory.buffer, at, bytes).latin1Slice();
const list = (): string[] => (headed ? message.trailers : message.headers);
/** Only the first message counts. */
const open = (): boolean => message.complete !== true;

const binary = createRequire(import.meta.url)('undici/lib/llhttp/llhttp-wasm.js') as Uint8Array;
const wasm = new WebAssembly.Instance(new WebAssembly.Module(binary), {
  env: {
    wasm_on_message_begin: () => 0,
    wasm_on_status: () => 0,
    wasm_on_url(_: number, at: number, bytes: number) {
      if (open()) message.target += text(at, bytes);
      return 0;
    },
    wasm_on_header_field(_: number, at: number, bytes: number) {
      if (open()) list().push(text(at, bytes), '');
      return 0;
    },
    wasm_on_header_value(_: number, at: number, bytes: number) {
      if (open()) list()[list().length - 1] += text(at, bytes);
      return 0;
    },
    wasm_on_headers_complete(_: number, status: number) {
      if (open()) {
        message.status = status;
        headed = true;
      }
      return 0;
    },
    wasm_on_body(_: number, at: number, bytes: number) {
      if (open()) message.body += text(at, bytes);
      return 0;
    },
    wasm_on_message_complete() {
      message.complete = true;
      return 0;
    },
  },
}).exports as unknown as Exports;
wasm._initialize();

export type First = Omit<Seen, 'method' | 'minor'> & { readonly error: string | null };

/** The first message in `bytes` (latin1), to the end of the connection. */
export function readFirst(kind: 'request' | 'response', bytes: string): First {
  message = { target: '', status: 0, headers: [], body: '', trailers: [], complete: false };
  headed = false;
  const parser = wasm.llhttp_alloc(TYPE[kind]);
  const at = wasm.malloc(bytes.length + 1);
  Buffer.from(wasm.memory.buffer, at, bytes.length).write(bytes, 'latin1');
  let code = wasm.llhttp_execute(parser, at, bytes.length);
  if (code === OK) code = wasm.llhttp_finish(parser);
  const error = code === OK ? null : reason(parser);
  wasm.free(at);
  wasm.llhttp_free(parser);
  return { ...(message as Omit<Seen, 'method' | 'minor'>), error };
}

function reason(parser: number): string {
  const at = wasm.llhttp_get_error_reason(parser);
  const bytes = new Uint8Array(wasm.memory.buffer);
  return text(at, bytes.indexOf(0, at) - at);
}
