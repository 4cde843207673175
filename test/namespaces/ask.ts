/** Connects to each place of its JSON argument, one after the other, and prints what each said, as JSON. */
import { createSocket } from 'node:dgram';
import { connect } from 'node:net';

export type Question = {
  readonly host: string;
  readonly port: number;
  readonly udp?: boolean;
  /** Address and port to ask from. */
  readonly localAddress?: string;
  readonly localPort?: number;
};

const PATIENCE_MS = 5000;

const answers: string[] = [];
for (const question of JSON.parse(process.argv[2]!) as Question[]) {
  answers.push(await (question.udp === true ? byUdp(question) : byTcp(question)));
}
process.stdout.write(JSON.stringify(answers));

function byTcp({ host, port, localAddress }: Question): Promise<string> {
  return new Promise((resolve) => {
    let said = '';
    const socket = connect({ host, port, ...(localAddress === undefined ? {} : { localAddress }) });
    socket.setEncoding('utf8').setTimeout(PATIENCE_MS, () => socket.destroy(new Error('nobody')));
    socket.on('data', (text: string) => (said += text)).on('end', () => resolve(said));
    socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
  });
}

function byUdp({ host, port, localPort = 0 }: Question): Promise<string> {
  return new Promise((resolve) => {
    const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4');
    const done = (said: string): void => {
      clearTimeout(timer);
      socket.close(() => resolve(said));
    };
    const timer = setTimeout(() => done('nobody'), PATIENCE_MS);
    socket.on('message', (text, from) =>
      done(`${text.toString()}${from.address === host ? '' : ` from ${from.address}`}`),
    );
    socket.on('error', (error) => done(error.message));
    socket.bind(localPort, () => socket.send('?', port, host));
  });
}
