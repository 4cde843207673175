/** A DNS server of a test: answers as it is told, over UDP and TCP on one port, and remembers who asked. */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import packet from 'dns-packet';

export type Asked = {
  readonly transport: 'udp' | 'tcp';
  readonly port: number;
  readonly message: Buffer;
  readonly name: string;
  readonly type: string;
};

/** What goes back: fields of a reply, bytes as they are, several packets, or null for silence. */
export type Answering = (asked: Asked) => Partial<packet.Packet> | Buffer | readonly Buffer[] | null;

export type NameServer = Disposable & {
  readonly host: string;
  readonly port: number;
  readonly asked: readonly Asked[];
};

/** `rcode`: 2 SERVFAIL, 3 NXDOMAIN, 5 REFUSED … */
export const failure = (rcode: number): Partial<packet.Packet> => ({ flags: 0x0180 | rcode });

/** An answer to `asked`, under its id unless another is given. */
export function replyTo({ message }: Asked, fields: Partial<packet.Packet>): Buffer {
  const { id, questions } = packet.decode(message);
  return packet.encode({ type: 'response', flags: 0x0180, id: id ?? 0, questions: questions ?? [], ...fields });
}

/** `port` 0: any free one. */
export async function startNameServer(host: string, answer: Answering, port = 0): Promise<NameServer> {
  const asked: Asked[] = [];
  const take = (message: Buffer, transport: Asked['transport'], port: number): readonly Buffer[] => {
    const [question] = packet.decode(message).questions!;
    const one = { transport, port, message, name: question!.name, type: question!.type };
    asked.push(one);
    const said = answer(one);
    if (said === null) return [];
    if (Array.isArray(said)) return said as readonly Buffer[];
    return [Buffer.isBuffer(said) ? said : replyTo(one, said as Partial<packet.Packet>)];
  };
  const udp = createSocket('udp4');
  udp.on('message', (message, from) => {
    for (const reply of take(message, 'udp', from.port)) udp.send(reply, from.port, from.address);
  });
  udp.bind(port, host);
  await once(udp, 'listening');
  const open = new Set<Socket>();
  const tcp = createServer((socket) => {
    open.add(socket);
    let received = Buffer.alloc(0);
    socket
      .on('error', () => socket.destroy())
      .on('data', (chunk: Buffer) => {
        received = Buffer.concat([received, chunk]);
        if (received.length < 2 || received.length < 2 + received.readUInt16BE(0)) return;
        for (const reply of take(received.subarray(2), 'tcp', socket.remotePort!)) {
          const prefixed = Buffer.alloc(2 + reply.length);
          prefixed.writeUInt16BE(reply.length, 0);
          reply.copy(prefixed, 2);
          // In pieces, the first of one byte: nobody may rely on where they end.
          socket.write(prefixed.subarray(0, 1));
          setImmediate(() => socket.write(prefixed.subarray(1)));
        }
      });
  });
  tcp.listen(udp.address().port, host);
  await once(tcp, 'listening');
  return {
    host,
    port: (tcp.address() as AddressInfo).port,
    asked,
    [Symbol.dispose]() {
      udp.close();
      tcp.close();
      for (const socket of open) socket.destroy();
    },
  };
}
