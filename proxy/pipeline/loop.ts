/** Whether an address leads back to this proxy: a request sent there would come round for ever. */
import type { Environment } from './environment.ts';

export function leadsBack(env: Environment, host: string, port: number): boolean {
  const local = host === env.node.ip || host === 'localhost' || host.startsWith('127.') || host === '::1';
  if (!local) return false;
  const { listeners } = env.plans.current.snapshot;
  return listeners.some(
    (l) => l.port === port && (l.address === host || l.address === env.node.ip || l.address === '0.0.0.0'),
  );
}
