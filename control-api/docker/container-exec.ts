/** A command in a container: Docker's exec, on a connection that carries its input and output. */
import { Readable } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import type { ExecProcess } from '../pod-runtime.ts';
import { badRequest } from '../kube/status-error.ts';
import type { Container } from './compose-container.ts';
import type { Engine, Hijacked } from './engine.ts';
import { FrameReader, type Output } from './frames.ts';

/** Between two looks at a command that has closed its output and still runs: doubled each time, up to the second. */
const LOOK_MS = 10;
const LOOK_MOST_MS = 1000;
/** As a shell tells of a process that was killed: what is said of a command whose end nobody saw. */
const KILLED = 137;

/**
 * Starts `command` with the user, environment and network of the container. `kill()` closes the connection, after which its input has
 * ended and its output goes nowhere: Docker has no way to end the process itself, which goes on until that ends it, or by itself.
 */
export async function containerExec(
  engine: Engine,
  { id, service }: Container,
  command: readonly string[],
): Promise<ExecProcess> {
  const wanted = { AttachStdin: true, AttachStdout: true, AttachStderr: true, Tty: false, Cmd: command };
  const made = (await engine.ask('POST', `/containers/${id}/exec`, wanted)) as { readonly Id: string } | null;
  if (made === null) throw badRequest(`the container of service ${service} has just been removed`);
  const connection = await engine.hijack(`/exec/${made.Id}/start`, { Detach: false, Tty: false });
  const killed = new AbortController();
  const process = carried(connection, () => exitCode(engine, made.Id, killed.signal));
  return {
    ...process,
    kill: () => {
      killed.abort();
      connection.socket.destroy();
    },
  };
}

function carried({ socket, head }: Hijacked, exited: () => Promise<number>): Omit<ExecProcess, 'kill'> {
  const full = new Set<Output>();
  const output = (name: Output): Readable =>
    new Readable({
      read() {
        full.delete(name);
        if (full.size === 0) socket.resume();
      },
    });
  const outputs = { stdout: output('stdout'), stderr: output('stderr') };
  const frames = new FrameReader((name, bytes) => {
    if (outputs[name].destroyed || outputs[name].push(bytes)) return;
    full.add(name);
    socket.pause();
  });
  const read = (chunk: Buffer): void => {
    try {
      frames.push(chunk);
    } catch (error) {
      socket.destroy(error as Error);
    }
  };
  const done = new Promise<number>((resolve) => {
    let broke: Error | null = null;
    socket.on('error', (error) => (broke = error));
    const over = async (): Promise<void> => {
      // Not before: an answer would otherwise come while the output is still on its way.
      const code = broke === null ? await exited() : KILLED;
      if (broke !== null) outputs.stderr.push(`the connection to Docker broke: ${broke.message}\n`);
      outputs.stdout.push(null);
      outputs.stderr.push(null);
      resolve(code);
    };
    let ended = false;
    for (const event of ['end', 'close'] as const)
      socket.once(event, () => {
        if (ended) return;
        ended = true;
        void over();
      });
  });
  if (head.length > 0) read(head);
  socket.on('data', read);
  if (full.size > 0) socket.pause();
  return { stdin: socket, ...outputs, done };
}

/** Never rejects. The connection ends with the command's output, which the command may outlive. */
async function exitCode(engine: Engine, id: string, killed: AbortSignal): Promise<number> {
  for (let wait = LOOK_MS; ; wait = Math.min(wait * 2, LOOK_MOST_MS)) {
    const seen = killed.aborted ? null : await look(engine, id);
    if (seen === null) return KILLED;
    if (!seen.Running) return seen.ExitCode ?? KILLED;
    await pause(wait);
  }
}

type Seen = { readonly Running: boolean; readonly ExitCode: number | null };

/** Null: Docker knows nothing of it any more (its container is gone), or cannot be asked. */
const look = (engine: Engine, id: string): Promise<Seen | null> =>
  engine.ask('GET', `/exec/${id}/json`).then(
    (seen) => seen as Seen | null,
    () => null,
  );
