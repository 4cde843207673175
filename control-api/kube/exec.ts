/** pods/exec over a WebSocket: channels of Kubernetes' remote command protocol, v5.channel.k8s.io and v4. */
import type { WebSocket } from 'ws';
import type { ExecProcess } from '../pod-runtime.ts';
import { elsewhere, isRegistered } from '../registered-pod.ts';
import type { Call, KubeContext } from './call.ts';
import { containerOf } from './container.ts';
import { runs } from './runs.ts';
import { badRequest, unavailable, type StatusError } from './status-error.ts';
import { existing } from './verbs.ts';

/** First byte of each message (k8s.io/apimachinery, util/remotecommand). */
const STDIN = 0;
const STDOUT = 1;
const STDERR = 2;
const ERROR = 3;
/** v5 only: the next byte names a channel that ends. */
const CLOSE = 255;

/** Best first. */
export const PROTOCOLS = ['v5.channel.k8s.io', 'v4.channel.k8s.io'] as const;

/** Bytes a slow client may have waiting before the command's output is held back. */
const MOST_WAITING = 1024 * 1024;

/** Checks what can be checked before; what it returns starts the command. Both throw a StatusError when it cannot be started. */
export function exec({ store, runtime }: KubeContext, call: Call): () => Promise<ExecProcess> {
  const { query, target } = call;
  const pod = existing({ store }, call);
  const container = containerOf(pod, query.get('container'));
  if (isRegistered(pod) && !runs(runtime, pod)) throw unavailable(elsewhere(pod, 'exec', container));
  const command = query.getAll('command');
  if (command.length === 0) throw badRequest('you must specify at least one command for the container');
  if (query.get('tty') === 'true' || query.get('tty') === '1') {
    throw badRequest('there are no terminals here: commands run with plain input and output. Leave out -t (--tty)');
  }
  const { phase = '' } = (pod.status ?? {}) as { readonly phase?: string };
  if (phase === 'Succeeded' || phase === 'Failed')
    throw badRequest(`cannot exec into a container in a completed pod; current phase is ${phase}`);
  if (!runs(runtime, pod)) throw unavailable('no pods run here: the control API was started without a runner');
  return async () => {
    const started = await runtime.exec(target.namespace, target.name!, container, command);
    if (started === null) throw badRequest(`container "${container}" of pod "${target.name}" is not running`);
    return started;
  };
}

/** Tells a client whose connection stands already why there is no command. */
export function fail(socket: WebSocket, error: StatusError): void {
  socket.on('error', () => {});
  send(socket, ERROR, Buffer.from(JSON.stringify(error.status())));
  socket.close(1000);
}

/** Carries bytes between the command and the client until the command ends or the client goes away. */
export function carry(socket: WebSocket, command: ExecProcess, query: URLSearchParams): void {
  const wants = (name: string): boolean => ['true', '1'].includes(query.get(name) ?? '');
  const ended = [
    wants('stdout') ? forward(socket, command.stdout, STDOUT) : drained(command.stdout),
    wants('stderr') ? forward(socket, command.stderr, STDERR) : drained(command.stderr),
  ];
  command.stdin.on('error', () => {
    // The command closed its input before the client did: its business.
  });
  if (!wants('stdin')) command.stdin.end();
  socket.on('message', (data: Buffer) => receive(socket, command, data));
  socket.on('close', () => command.kill());
  socket.on('error', () => command.kill());
  void Promise.all([command.done, ...ended]).then(([code]) => {
    send(socket, ERROR, Buffer.from(JSON.stringify(outcome(code))));
    socket.close(1000);
  });
}

function receive(socket: WebSocket, { stdin }: ExecProcess, data: Buffer): void {
  const [channel] = data;
  if (channel === CLOSE && data[1] === STDIN) stdin.end();
  if (channel !== STDIN || stdin.writableEnded || stdin.destroyed) return;
  if (stdin.write(data.subarray(1))) return;
  socket.pause();
  stdin.once('drain', () => socket.resume());
  stdin.once('close', () => socket.resume());
}

function send(socket: WebSocket, channel: number, bytes: Uint8Array, sent: () => void = () => {}): void {
  if (socket.readyState !== socket.OPEN) return sent();
  socket.send(Buffer.concat([Buffer.of(channel), bytes]), { binary: true }, sent);
}

/** Resolves when all of it has been handed over. */
function forward(socket: WebSocket, output: NodeJS.ReadableStream, channel: number): Promise<void> {
  output.on('data', (chunk: Buffer) => {
    send(socket, channel, chunk, () => {
      if (socket.bufferedAmount < MOST_WAITING) output.resume();
    });
    if (socket.bufferedAmount >= MOST_WAITING) output.pause();
  });
  return ending(output);
}

function drained(output: NodeJS.ReadableStream): Promise<void> {
  output.resume();
  return ending(output);
}

const ending = (output: NodeJS.ReadableStream): Promise<void> =>
  new Promise((resolve) => {
    for (const event of ['end', 'close', 'error']) output.once(event, () => resolve());
  });

/** What the client makes its own exit code of. */
function outcome(code: number): object {
  if (code === 0) return { metadata: {}, status: 'Success' };
  return {
    metadata: {},
    status: 'Failure',
    message: `command terminated with non-zero exit code: exit status ${code}`,
    reason: 'NonZeroExitCode',
    details: { causes: [{ reason: 'ExitCode', message: String(code) }] },
    code: 500,
  };
}
