/** The control API, as the client verbs use it. Refusals become CliErrors with everything the API said. */
import { Option, type Command } from 'commander';
import { groupVersion, type KindInfo } from '#proxy/istio/kinds.ts';
import { CliError } from './cli-error.ts';
import { url } from './flags.ts';
import { paint } from './paint.ts';

export type ApiFlags = { readonly server: string; readonly namespace: string };

export type Reply<T> = { readonly status: number; readonly body: T };

/** Where it is: `--server`, else LATEEN_SERVER, else this machine. */
const DEFAULT_SERVER = 'http://127.0.0.1:8001';
const TIMEOUT_MS = 30_000;

/** Adds `--server`, and `--namespace` unless the verb has no use for one. */
export function withApi(command: Command, namespaced = true): Command {
  command.addOption(
    new Option('-s, --server <url>', 'the control API').env('LATEEN_SERVER').default(DEFAULT_SERVER).argParser(url),
  );
  return namespaced ? command.option('-n, --namespace <name>', 'namespace', 'default') : command;
}

export class Api {
  readonly server: string;

  constructor(server: string) {
    this.server = server;
  }

  /** Null when there is nothing at this path (404). Throws CliError for every other refusal. */
  async find<T>(path: string, accept?: string): Promise<T | null> {
    const { status, body } = await this.#ask('GET', path, undefined, accept === undefined ? {} : { accept });
    return status === 404 ? null : (checked(status, body) as T);
  }

  async send<T>(method: string, path: string, value?: unknown, type = 'application/json'): Promise<T> {
    const { status, body } = await this.#ask(method, path, value, { 'content-type': type });
    return checked(status, body) as T;
  }

  /** An answer that goes on until `stop`. Null: there is nothing at this path. Throws CliError for every other refusal. */
  async stream(path: string, stop: AbortSignal): Promise<AsyncIterable<Uint8Array> | null> {
    let response: Response;
    try {
      response = await fetch(this.server + path, { headers: { 'user-agent': 'lateen' }, signal: stop });
    } catch (error) {
      if (stop.aborted) throw error;
      throw this.#unreachable(error);
    }
    if (response.status === 404) return null;
    if (response.status >= 400) checked(response.status, readJson(await response.text()));
    return response.body!;
  }

  async #ask(method: string, path: string, value: unknown, headers: Record<string, string>): Promise<Reply<unknown>> {
    let response: Response;
    try {
      response = await fetch(this.server + path, {
        method,
        headers: { 'user-agent': 'lateen', ...headers },
        ...(value === undefined ? {} : { body: JSON.stringify(value) }),
        signal: AbortSignal.timeout(TIMEOUT_MS),
      });
    } catch (error) {
      throw this.#unreachable(error);
    }
    for (const warning of warningsOf(response.headers.get('warning')))
      process.stderr.write(`${paint('yellow', 'Warning:', process.stderr)} ${warning}\n`);
    const text = await response.text();
    return { status: response.status, body: readJson(text) };
  }

  #unreachable(error: unknown): CliError {
    if (error instanceof Error && error.name === 'TimeoutError')
      return new CliError(`the control API at ${this.server} did not answer within ${TIMEOUT_MS / 1000} s.`);
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause.message : String(error);
    return new CliError(`no control API at ${this.server} (${cause}).`, {
      hint: 'Is the mesh running (npm start, or lateen up)? Another address: --server URL, or the variable LATEEN_SERVER.',
    });
  }
}

/** Where a server of this address is reached from its own machine. */
export const reachable = (address: string): string =>
  address.replace('//0.0.0.0:', '//127.0.0.1:').replace('//[::]:', '//127.0.0.1:');

/** `/apis/networking.istio.io/v1/namespaces/default/virtualservices/reviews`. `namespace` "": of all namespaces. */
export function pathOf(info: KindInfo, namespace: string, name?: string): string {
  const root = info.group === '' ? '/api/' : '/apis/';
  const place = info.namespaced && namespace !== '' ? `/namespaces/${encodeURIComponent(namespace)}` : '';
  return `${root}${groupVersion(info.group, info.versions[0]!)}${place}/${info.plural}${name === undefined ? '' : `/${encodeURIComponent(name)}`}`;
}

/** `virtualservice.networking.istio.io`, as kubectl names objects. */
export const shownKind = (info: KindInfo): string =>
  info.group === '' ? info.singular : `${info.singular}.${info.group}`;

type Status = {
  readonly message?: string;
  readonly details?: { readonly causes?: readonly { readonly field?: string; readonly message?: string }[] };
};

function checked(status: number, body: unknown): unknown {
  if (status < 400) return body;
  const { message, details } = (typeof body === 'object' && body !== null ? body : {}) as Status;
  const causes = (details?.causes ?? []).map(
    ({ field, message }) => `  ${field === undefined || field === '' ? '' : `${field}: `}${message ?? ''}`,
  );
  throw new CliError(message ?? `the control API answered ${status}.`, {
    hint: causes.length > 1 ? causes.join('\n') : null,
  });
}

/** `299 - "text", 299 - "text"` (RFC 9111, 5.5 of its predecessor RFC 7234). */
function warningsOf(header: string | null): string[] {
  return [...(header ?? '').matchAll(/\d{3} \S+ "((?:[^"\\]|\\.)*)"/g)].map(([, text]) =>
    (text ?? '').replace(/\\(.)/g, '$1'),
  );
}

function readJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return { message: text.trim().slice(0, 500) };
  }
}
