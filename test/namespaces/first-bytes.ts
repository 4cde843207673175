/** Connects so many times to the place of its JSON argument, and prints how many milliseconds each first byte took, as JSON. */
import { connect } from 'node:net';

type Task = { readonly host: string; readonly port: number; readonly times: number };

const { host, port, times } = JSON.parse(process.argv[2]!) as Task;
const took: number[] = [];
while (took.length < times) took.push(await firstByte());
process.stdout.write(JSON.stringify(took));

/** Nothing is sent: who waits for the client to speak first waits for ever. */
function firstByte(): Promise<number> {
  const started = performance.now();
  return new Promise((resolve, reject) => {
    const socket = connect(port, host).on('error', reject);
    socket.setTimeout(10_000, () => socket.destroy(new Error('not a byte in 10 s')));
    socket.once('data', () => {
      resolve(performance.now() - started);
      socket.destroy();
    });
  });
}
