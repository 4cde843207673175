/**
 * The two ends of an exchange as the stages see each other: who reads the request and writes the response (downstream, given by
 * listener/), and who sends the request and reads the response (upstream). Calls go down, events come up; nothing throws.
 */
import type { HeaderList } from '../core/header-list.ts';

/** How the length of a body is told: `close` only for responses. */
export type BodyFraming = 'none' | 'length' | 'chunked' | 'close';

/** A response head as it arrived. Framing and hop-by-hop fields are not in the list, but Content-Length is. */
export type UpstreamHead = {
  readonly status: number;
  readonly reason: string;
  readonly headers: HeaderList;
  /** Of the body that follows; `none` for answers to HEAD, 204, 304. */
  readonly framing: BodyFraming;
  /** Value of Upgrade of a 101; null otherwise. */
  readonly upgrade: string | null;
  /** Bytes of the head. */
  readonly bytes: number;
};

/** The client's side of one exchange. */
export type Downstream = {
  /** Of the request. */
  readonly bodyFraming: BodyFraming;
  /** The value of Upgrade, when the client asks for one. */
  readonly upgrade: string | null;
  /** Lets request body data flow to the events; answers `Expect: 100-continue` first. */
  startBody(): void;
  pauseBody(): void;
  resumeBody(): void;
  /** A 1xx other than 101. */
  sendInformational(status: number, reason: string, headers: HeaderList): void;
  /** Says how the body ends; the head leaves with the first bytes after it, or with flush. */
  sendHead(status: number, reason: string, headers: HeaderList, framing: BodyFraming): void;
  /** False: wait for onDownstreamDrain before sending more. */
  sendData(chunk: Buffer): boolean;
  sendEnd(trailers: HeaderList): void;
  /** Everything sent so far leaves now. */
  flush(): void;
  /** Takes a response back of which nothing has left yet; false: too late. */
  takeBack(): boolean;
  /** The response cannot be completed: the client must see that it is broken, never a clean end. */
  abort(): void;
  /** After a 101 or an answered CONNECT: the connection is the caller's, with the bytes that came early. */
  takeOver(): { readonly socket: unknown; readonly reads: unknown; readonly early: Buffer | null };
};

/** What the client's side tells. */
export type DownstreamEvents = {
  onRequestData(chunk: Buffer): void;
  onRequestEnd(trailers: HeaderList): void;
  /** The body broke the rules of its framing; `details` as Envoy's. */
  onRequestProblem(details: string): void;
  /** All that the last read brought was handed over. */
  onRequestReadEnd(): void;
  onDownstreamDrain(): void;
  /** The client is gone before its response was complete. */
  onDownstreamClose(): void;
};

/** The server's side of one try. */
export type Upstream = {
  /** False: wait for onUpstreamDrain before sending more. */
  sendData(chunk: Buffer): boolean;
  sendEnd(trailers: HeaderList): void;
  flush(): void;
  pause(): void;
  resume(): void;
  /** Gives the try up: the connection is closed. No event comes after. */
  abort(): void;
  takeOver(): { readonly socket: unknown; readonly reads: unknown; readonly early: Buffer | null };
};

export type UpstreamProblem =
  /** The connection ended. `reused`: it had served before. `gotBytes`: some of an answer had come. `unsent`: no byte of the request left. */
  | {
      readonly kind: 'reset';
      readonly cause: string;
      readonly reused: boolean;
      readonly gotBytes: boolean;
      readonly unsent: boolean;
    }
  /** What came is no valid response. */
  | { readonly kind: 'protocol'; readonly details: string };

/** What the server's side tells. */
export type UpstreamEvents = {
  onUpstreamInformational(head: UpstreamHead): void;
  onUpstreamHead(head: UpstreamHead): void;
  onUpstreamData(chunk: Buffer): void;
  onUpstreamEnd(trailers: HeaderList): void;
  onUpstreamReadEnd(): void;
  onUpstreamDrain(): void;
  /** Before the head: the try failed. After it: the response is truncated. */
  onUpstreamProblem(problem: UpstreamProblem): void;
};
