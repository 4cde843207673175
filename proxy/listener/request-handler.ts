/** What the reader of a connection tells: requests, refusals, its end. */
import type { Connection } from '../live/connection.ts';
import type { Downstream, DownstreamEvents } from '../live/stream.ts';
import type { HeadProblem, RequestHead } from '../wire/http1-head.ts';
import type { Target } from './target.ts';

/** What a listener does with requests; given by pipeline/. */
export type RequestHandler = {
  /** Serves one request; the returned events are told of its body and its end. */
  onRequest(
    connection: Connection,
    head: RequestHead,
    target: Target,
    headBytes: number,
    startMs: number,
    down: Downstream,
  ): DownstreamEvents;
  /** A request that was refused before it became one. */
  onRefused(connection: Connection, problem: HeadProblem, bytes: number, startMs: number): void;
  /** The connection is closed, or taken over. */
  onClosed(): void;
};
