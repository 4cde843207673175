/** What is noted of a gRPC call as it passes: its messages, and how it ended. */
import { get, type HeaderList } from '../core/header-list.ts';
import type { Exchange } from '../live/exchange.ts';
import { GrpcFrames } from '../wire/grpc-frames.ts';

/** Counts messages both ways, of tries together. */
export class GrpcMeter {
  readonly #x: Exchange;
  readonly #request = new GrpcFrames();
  readonly #response = new GrpcFrames();

  constructor(x: Exchange) {
    this.#x = x;
  }

  request(bytes: Buffer): void {
    this.#request.feed(bytes);
    this.#x.requestMessages = this.#request.count;
  }

  response(bytes: Buffer): void {
    this.#response.feed(bytes);
    this.#x.responseMessages = this.#response.count;
  }
}

/** A call tells how it ended in its trailers, or in its only head. */
export function noteGrpcStatus(x: Exchange, headers: HeaderList): void {
  const status = get(headers, 'grpc-status');
  if (status !== undefined && /^\d{1,2}$/.test(status)) x.grpcStatus = Number(status);
}
