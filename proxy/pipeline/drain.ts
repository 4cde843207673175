/**
 * How a proxy leaves without a loss: callers first, then the application, whose own calls must go on for as long as it answers
 * callers (Istio's agent keeps outbound listeners open in the same way, "inboundonly").
 */
import type { Listener } from '../snapshot/listener.ts';
import type { Environment } from './environment.ts';
import type { Clients } from './clients.ts';

export type DrainOptions = {
  /** How long it may take, ms. */
  readonly within: number;
  /** Another process serves on all of our sockets: nobody needs ours any more. */
  readonly handedOver: boolean;
  /** Stops accepting, in one direction or in all; resolves when what waited to be accepted has been. */
  readonly stopAccepting: (direction?: Listener['direction']) => Promise<void>;
};

/** A client that was silent for so long between two requests is closed; one that is busy hears of it with its next response, ms. */
const IDLE_MS = 500;
/** The application has no more calls to make when it made none for so long, ms. */
const SETTLED_MS = 250;
const LOOK_MS = 10;
/** A tunnel of the application through which nothing passes for so long is not waited for, ms. */
const QUIET_MS = 1000;

/** Resolves when nothing is left, or after `within` ms, when what is left has been cut. */
export async function drain(env: Environment, clients: Clients, options: DrainOptions): Promise<void> {
  const { within, handedOver, stopAccepting } = options;
  const deadline = performance.now() + within;
  const late = (): boolean => performance.now() >= deadline;
  const serves = env.plans.current.snapshot.listeners.some((listener) => listener.direction === 'outbound');
  if (!handedOver && serves) {
    void stopAccepting('inbound');
    void stopAccepting('gateway');
    let busyMs = -Infinity;
    for (; !late(); await look()) {
      clients.leave('callers', IDLE_MS);
      const { callers, calledMs } = clients.left;
      if (callers > 0) busyMs = performance.now();
      if (callers + waitedFor(env) === 0 && performance.now() - Math.max(busyMs, calledMs) > SETTLED_MS) break;
    }
  }
  // Connections that waited in the accept queue come in with the turns of the event loop that close the sockets.
  await stopAccepting();
  for (; !late(); await look()) {
    clients.leave('everybody', IDLE_MS);
    const { callers, calls } = clients.left;
    if (callers + calls + waitedFor(env) === 0) break;
  }
  clients.cut('all');
  for (const tunnel of env.tunnels) tunnel.close();
  await look();
}

/** Tunnels that are open, but for those of the application that are silent: it keeps connections to databases for as long as it lives. */
function waitedFor({ tunnels, clock }: Environment): number {
  const before = clock.now() - QUIET_MS;
  let count = 0;
  for (const tunnel of tunnels) if (tunnel.direction !== 'outbound' || tunnel.lastMs() > before) count++;
  return count;
}

const look = (): Promise<void> => new Promise((again) => setTimeout(again, LOOK_MS));
