/** Docker's Engine API on its unix socket: questions, streams, and connections that stop being HTTP. */
import { statSync } from 'node:fs';
import { IncomingMessage, request, type ClientRequest } from 'node:http';
import type { Socket } from 'node:net';
import { badRequest, unavailable, type StatusError } from '../kube/status-error.ts';

/**
 * The version whose words are used here where the daemon has it; Docker 20.10 has 1.41, and 29 takes nothing older than 1.44.
 * https://docs.docker.com/reference/api/engine/version-history/
 */
const VERSION = '1.44';
/** Until the head of an answer is there. */
const PATIENCE_MS = 10_000;
/** Bytes of one answer that is read whole: what Docker knows of all containers of a project. */
const MAX_ANSWER = 16 * 1024 * 1024;

export type Hijacked = { readonly socket: Socket; readonly head: Buffer };

type Sending = {
  readonly body?: object | undefined;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
};

export class Engine {
  readonly #path: string;
  #agreed: string | null = null;

  /** `path`: of the socket. */
  constructor(path: string) {
    this.#path = path;
  }

  /** Reads an answer whole. Throws a StatusError, as the others do; null for what Docker has not got (404). */
  async ask(method: 'GET' | 'POST', path: string, body?: object): Promise<unknown> {
    const answer = await this.#answer(this.#send(method, `/v${await this.#version()}${path}`, { body }));
    if (answer.statusCode !== 404) return this.#json(answer);
    answer.destroy();
    return null;
  }

  /** An answer that goes on: whoever destroys it ends the request. With `signal`, which ends it as well, its head may take its time. */
  async open(path: string, signal?: AbortSignal): Promise<IncomingMessage> {
    const sent = this.#send('GET', `/v${await this.#version()}${path}`, { signal });
    const answer = await this.#answer(sent, signal === undefined ? PATIENCE_MS : null);
    if (answer.statusCode !== 200) throw await this.#refused(answer);
    return answer;
  }

  /** POST, after which the connection carries bytes in both directions. */
  async hijack(path: string, body: object): Promise<Hijacked> {
    const headers = { connection: 'Upgrade', upgrade: 'tcp' };
    const sent = this.#send('POST', `/v${await this.#version()}${path}`, { body, headers });
    const upgraded = new Promise<Hijacked>((resolve) => {
      sent.once('upgrade', (_answer, socket: Socket, head) => {
        // Until whoever carries it listens.
        socket.on('error', () => {});
        resolve({ socket, head });
      });
    });
    const first = await Promise.race([upgraded, this.#answer(sent)]);
    if (first instanceof IncomingMessage) throw await this.#refused(first);
    return first;
  }

  /** Asked once, until Docker says that it does not know it: a newer daemon may have taken the place of the one that was asked. */
  async #version(): Promise<string> {
    return (this.#agreed ??= await this.#agree());
  }

  async #agree(): Promise<string> {
    const said = (await this.#json(await this.#answer(this.#send('GET', '/version')))) as {
      readonly ApiVersion?: unknown;
      readonly MinAPIVersion?: unknown;
    };
    const [most, least] = [versionOf(said.ApiVersion, '1.41'), versionOf(said.MinAPIVersion, '1.12')];
    return [[VERSION, most].sort(byVersion)[0]!, least].sort(byVersion)[1]!;
  }

  #send(method: string, path: string, { body, headers = {}, signal }: Sending = {}): ClientRequest {
    const bytes = body === undefined ? null : Buffer.from(JSON.stringify(body));
    const sent = request({
      socketPath: this.#path,
      agent: false,
      signal,
      method,
      path,
      headers: {
        host: 'docker',
        ...(bytes === null ? {} : { 'content-type': 'application/json', 'content-length': bytes.length }),
        ...headers,
      },
    });
    sent.end(bytes ?? undefined);
    return sent;
  }

  #answer(sent: ClientRequest, patienceMs: number | null = PATIENCE_MS): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const late = unavailable(`Docker at ${this.#path} did not answer within ${PATIENCE_MS / 1000} s`);
      const timer = patienceMs === null ? undefined : setTimeout(() => void sent.destroy(late), patienceMs);
      // Stays: a connection that breaks later is told to whoever reads the answer, too.
      sent.on('error', (error) => {
        clearTimeout(timer);
        reject(error === late ? late : this.#unreachable(error));
      });
      sent.once('upgrade', () => clearTimeout(timer));
      sent.once('response', (answer) => {
        clearTimeout(timer);
        resolve(answer);
      });
    });
  }

  async #json(answer: IncomingMessage): Promise<unknown> {
    if (answer.statusCode !== 200 && answer.statusCode !== 201) throw await this.#refused(answer);
    const text = await this.#text(answer);
    try {
      return JSON.parse(text);
    } catch {
      throw unavailable(`expected JSON from Docker at ${this.#path}, got ${JSON.stringify(text.slice(0, 80))}`);
    }
  }

  async #text(answer: IncomingMessage): Promise<string> {
    const chunks: Buffer[] = [];
    let size = 0;
    try {
      for await (const chunk of answer as AsyncIterable<Buffer>) {
        size += chunk.length;
        if (size > MAX_ANSWER) throw unavailable(`Docker at ${this.#path} answered with more than ${MAX_ANSWER} bytes`);
        chunks.push(chunk);
      }
    } catch (error) {
      throw size > MAX_ANSWER ? error : this.#unreachable(error as Error);
    }
    return Buffer.concat(chunks).toString();
  }

  /** What Docker says itself is the most exact: of a container that is not running, for example. */
  async #refused(answer: IncomingMessage): Promise<StatusError> {
    if (answer.statusCode === 400) this.#agreed = null;
    const text = await this.#text(answer);
    const said = /"message":\s*("(?:[^"\\]|\\.)*")/.exec(text)?.[1];
    const why = said === undefined ? `answered with status ${answer.statusCode}` : `says: ${JSON.parse(said)}`;
    return (answer.statusCode === 404 || answer.statusCode === 409 ? badRequest : unavailable)(`Docker ${why}`);
  }

  #unreachable({ code, message }: NodeJS.ErrnoException): StatusError {
    const path = this.#path;
    if (code === 'ENOENT')
      return unavailable(`there is no Docker socket at ${path}: mount it into the container, or name it (--docker)`);
    if (code === 'EACCES' || code === 'EPERM')
      return unavailable(`may not open the Docker socket ${path}: ${remedy(path)}`);
    if (code === 'ECONNREFUSED' || code === 'ENOTSOCK')
      return unavailable(`nobody answers at ${path}: is Docker running, and is that its socket?`);
    return unavailable(`the connection to Docker at ${path} failed: ${message}`);
  }
}

/** The socket is of root and a group whose number differs from machine to machine. */
function remedy(path: string): string {
  try {
    const { gid } = statSync(path);
    return `it is for group ${gid}. With docker compose, put DOCKER_GID=${gid} into .env and run docker compose up again`;
  } catch {
    return 'its directory is not for this user';
  }
}

const versionOf = (said: unknown, otherwise: string): string =>
  typeof said === 'string' && /^\d{1,3}\.\d{1,3}$/.test(said) ? said : otherwise;

function byVersion(a: string, b: string): number {
  const [[major = 0, minor = 0], [otherMajor = 0, otherMinor = 0]] = [
    a.split('.').map(Number),
    b.split('.').map(Number),
  ];
  return major - otherMajor || minor - otherMinor;
}
