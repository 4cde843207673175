/** One HTTP exchange under way, as its upstream half sees it. */
import type { HeaderList } from '../core/header-list.ts';
import type { Exchange } from '../live/exchange.ts';
import type { Downstream } from '../live/stream.ts';
import type { Reply } from '../live/verdict.ts';
import type { Environment } from './environment.ts';
import type { HttpListenerPlan } from './plan.ts';

export type Stream = {
  readonly env: Environment;
  readonly plan: HttpListenerPlan;
  readonly x: Exchange;
  readonly down: Downstream;
  /** The proxy answers by itself, and the exchange is over. */
  reply(reply: Reply): void;
  /** Adds what every response of this listener carries. */
  decorate(headers: HeaderList): void;
  /** The exchange is over: told exactly once. */
  finish(): void;
};
