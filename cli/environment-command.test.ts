import { afterEach, describe, expect, test, vi } from 'vitest';
import { EnvironmentCommand } from './environment-command.ts';
import { count, each } from './flags.ts';

const command = (): EnvironmentCommand =>
  new EnvironmentCommand('sidecar')
    .option('--max-requests <n>', 'at once', count, 5)
    .option('--zipkin <url>', 'repeatable', each(String))
    .option('--register', 'itself')
    .exitOverride()
    .configureOutput({ writeErr: () => {} });

const options = (...args: readonly string[]): unknown => command().parse(args, { from: 'user' }).opts();

describe('options from the environment', () => {
  afterEach(() => vi.unstubAllEnvs());

  test('stand for those that are not given, read in the same way', () => {
    expect(options()).toEqual({ maxRequests: 5 });
    vi.stubEnv('LATEEN_MAX_REQUESTS', '7');
    vi.stubEnv('LATEEN_ZIPKIN', ' http://a  http://b ');
    vi.stubEnv('LATEEN_REGISTER', 'true');
    expect(options()).toEqual({ maxRequests: 7, zipkin: ['http://a', 'http://b'], register: true });
    expect(options('--max-requests', '8', '--zipkin', 'http://c')).toEqual({
      maxRequests: 8,
      zipkin: ['http://c'],
      register: true,
    });
  });

  test('a repeatable one that is empty is none', () => {
    vi.stubEnv('LATEEN_ZIPKIN', '');
    expect(options()).toEqual({ maxRequests: 5, zipkin: [] });
  });

  test('what is wrong names the variable', () => {
    vi.stubEnv('LATEEN_MAX_REQUESTS', 'many');
    expect(() => options()).toThrow(/'many' from env 'LATEEN_MAX_REQUESTS' is invalid.*at least 1, got "many"/);
  });

  test('the help tells of them once', () => {
    const help = command().helpInformation();
    expect(help).not.toMatch(/env:/);
    expect(help).toMatch(/at once \(default: 5\)/);
  });
});
