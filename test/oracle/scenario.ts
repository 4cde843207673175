/** The shape of a scenario: one meaning written twice, for Istio and for Envoy, and the requests that must be answered alike. */
import type { Side } from './proxy.ts';

/** Where the upstreams are; `$origin.host`, `$origin.port` … in a scenario's text stand for them. */
export type Places = {
  readonly origin: Place;
  readonly other: Place;
  /** Nobody listens there. */
  readonly refused: Place;
  /** Somebody listens, and never accepts: a connection attempt gets no answer at all. */
  readonly blackhole: Place;
};
export type Place = { readonly host: string; readonly port: number };

export type Scenario = {
  /** The host its requests name; `<name>.oracle`. */
  readonly host: string;
  readonly side: Side;
  /** Istio documents; the ServiceEntry of `host` and of the five upstreams exist already. */
  readonly istio: string;
  /** The same as an Envoy virtual host (name and domains are filled in). */
  readonly envoy: string;
  readonly requests: readonly Request[];
};

export type Request = {
  /** A sentence of behaviour: what must be answered alike. */
  readonly it: string;
  /** The bytes to send. A part that is a function waits for the answer so far to satisfy it. */
  readonly send: string | readonly (string | ((received: string) => boolean))[];
  /** Methods of the pipelined requests, when not all GET. */
  readonly methods?: readonly string[];
  /** How many final answers to wait for; 1 by default. `end`: until the proxy closes the connection. */
  readonly expect?: number | 'end';
  /** Where we are meant to differ from Envoy. Everything else about that answer goes uncompared. */
  readonly differ?: Difference;
  /** Fields compared beside status, body, end, flags and details. */
  readonly fields?: readonly string[];
};

export type Difference = {
  /** Of our last answer; `closed` when there is none. */
  readonly status: number | 'closed';
  readonly why: string;
  /** A header line that must have reached the origin all the same. */
  readonly forwards?: string;
};

/** Puts the places into a scenario's text. */
export function fill(text: string, places: Places): string {
  return text.replace(/\$(origin|other|refused|blackhole)\.(host|port)/g, (_, place: keyof Places, part: keyof Place) =>
    String(places[place][part]),
  );
}

/** A request head of `lines` under a GET of `/`, with the scenario's host; `body` follows. */
export function get(host: string, fields: readonly string[] = [], path = '/', body = ''): string {
  return request(`GET ${path} HTTP/1.1`, [`Host: ${host}`, ...fields], body);
}

export function request(line: string, fields: readonly string[], body = ''): string {
  return [line, ...fields, '', body].join('\r\n');
}
