/**
 * A hello of Node's client (TLS 1.3, a post-quantum key share, ALPN), to be changed by the tables of odd hellos, and the form of their rows.
 */
import { message, nodeHello, partsOf, record, withExtensions, type HelloParts } from '../kit/client-hello.ts';

/** One odd hello, and what three readers make of it: ours, Node's server (OpenSSL), Envoy's TLS inspector (BoringSSL). */
export type HelloCase = {
  readonly what: string;
  readonly bytes: Buffer;
  /** A server name in quotes ('""': none), `more`, `not-tls`, or why it is broken. */
  readonly ours: string;
  /** A server name in quotes, `refuses`, or `waits`. */
  readonly node: string;
  /**
   * A server name in quotes, as its access log has it; `plain`: goes on as a connection without TLS, to the filter chain for those;
   * `waits`, or `closes`.
   */
  readonly envoy: string;
};

export const REAL = nodeHello({ servername: 'example.com', ALPNProtocols: ['h2', 'http/1.1'] });
export const PARTS = partsOf(REAL);
export const MESSAGE = message(PARTS);

export const whole = (parts: HelloParts): Buffer => record(message(parts));

/** The same without the extension `type`. */
export const without = (type: number): HelloParts => ({
  ...PARTS,
  extensions: PARTS.extensions!.filter(([t]) => t !== type),
});

/** A hello whose message has `size` bytes: an extension nobody knows takes the room. */
export const ofSize = (size: number): Buffer =>
  message(withExtensions(PARTS, [0xffaa, Buffer.alloc(size - MESSAGE.length - 4)]));
