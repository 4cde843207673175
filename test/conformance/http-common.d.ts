/** The part of Node's own HTTP/1 parser (llhttp) that tests use as a second opinion; Node does not document it. */
declare module 'node:_http_common' {
  export const methods: readonly string[];
  export class HTTPParser {
    static readonly REQUEST: number;
    static readonly RESPONSE: number;
    static readonly kOnHeaders: number;
    static readonly kOnHeadersComplete: number;
    static readonly kOnBody: number;
    static readonly kOnMessageComplete: number;
    static readonly kLenientNone: number;
    initialize(type: number, resource: object, maxHeaderSize: number, lenient: number): void;
    /** Bytes read, or the error that stopped it. */
    execute(bytes: Buffer): number | (Error & { readonly code: string; readonly bytesParsed: number });
    finish(): void | Error;
    free(): void;
    /** Gives its memory back; nothing else does. */
    close(): void;
    [callback: number]: (...args: never[]) => unknown;
  }
}
