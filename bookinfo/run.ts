/** Runs a service as a process: where it listens, and what ends it. */
import { setTimeout as pause } from 'node:timers/promises';
import { startService, type Env, type Handler } from './service.ts';
import { milliseconds, wholeNumber } from './whole-number.ts';

export type Program = {
  readonly name: string;
  readonly handle: Handler;
  readonly keepAliveMs: number;
  /** Called when the last request has been answered. */
  readonly close?: () => void;
};

/**
 * Serves until SIGTERM or SIGINT (or, with LATEEN_PARENT_PIPE=1, until the pipe on stdin closes because the parent died),
 * lets requests in flight finish, and resolves with the exit code.
 *
 * The port is the first argument, as with the original images, else PORT, else 9080; the host is LISTEN_HOST, else 127.0.0.1.
 * KEEP_ALIVE_MS replaces the service's own idle timeout. With SHUTDOWN_DELAY (such as `2s`; default 0) only `/health` says that it ends
 * (503) for so long, and everything else goes on; a second signal in that time ends it at once, with exit code 1. Rejects, naming the variable, when one of them makes no sense.
 */
export async function run(program: Program, env: Env, argv: readonly string[]): Promise<number> {
  const delayMs = milliseconds('SHUTDOWN_DELAY', env['SHUTDOWN_DELAY']);
  const stop = stopSignal(env);
  // A reader that went away (`| head`) must not end the service.
  process.stdout.on('error', () => {});
  const service = await startService({
    ...program,
    host: env['LISTEN_HOST'] || '127.0.0.1',
    port: wholeNumber(argv[0] !== undefined ? 'port' : 'PORT', argv[0] ?? env['PORT'], 9080, 65_535),
    keepAliveMs: wholeNumber('KEEP_ALIVE_MS', env['KEEP_ALIVE_MS'], program.keepAliveMs, 3_600_000),
    log: (line) => process.stdout.write(`${line}\n`),
  });
  process.stdout.write(`${JSON.stringify({ service: service.name, listening: service.url })}\n`);
  await stop.requested;
  if (delayMs > 0) {
    service.failHealth();
    for (const signal of SIGNALS) process.on(signal, endAtOnce);
    await pause(delayMs);
  }
  await service.close();
  program.close?.();
  stop.forget();
  for (const signal of SIGNALS) process.off(signal, endAtOnce);
  return 0;
}

const SIGNALS = ['SIGTERM', 'SIGINT'] as const;

const endAtOnce = (): never => process.exit(1);

/** Resolves on SIGTERM, SIGINT or the end of the parent's pipe; `forget` lets the process end by itself. */
export function stopSignal(env: Env): { requested: Promise<void>; forget(): void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  const stop = (): void => resolve();
  process.on('SIGTERM', stop).on('SIGINT', stop);
  const pipe = env['LATEEN_PARENT_PIPE'] === '1' ? process.stdin : null;
  pipe?.on('end', stop).on('close', stop).on('error', stop).resume();
  return {
    requested: promise,
    forget: () => {
      process.off('SIGTERM', stop).off('SIGINT', stop);
      pipe?.destroy(); // a pipe left open would keep the process alive
    },
  };
}
