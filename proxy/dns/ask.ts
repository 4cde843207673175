/** One question to one upstream, from a socket of its own: a port the system draws, an id we draw, and an answer that must fit both (RFC 5452). */
import { randomInt } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { connect } from 'node:net';
import { HEADER } from './codes.ts';
import { readQuestion, type Question } from './query.ts';
import type { Server } from './resolv-conf.ts';

export type Transport = 'udp' | 'tcp';

/** Exactly one of these is called, once; none after `close`. */
export type Listening = {
  /** Ours alone, to be changed at will. It answers the question. */
  onReply(reply: Buffer): void;
  /** Refused, unreachable, ended without a word. */
  onFailure(): void;
};

export type Ask = {
  readonly id: number;
  /** Where it asks from, once the system has said so; 0 before. */
  localPort(): number;
  close(): void;
};

/** `message` is copied; its id is replaced. How long to wait is the caller's matter. */
export function ask(
  transport: Transport,
  server: Server,
  message: Buffer,
  question: Question,
  listening: Listening,
): Ask {
  const id = randomInt(0x10000);
  const copy = Buffer.from(message);
  copy.writeUInt16BE(id, 0);
  return (transport === 'udp' ? askUdp : askTcp)(server, copy, id, question, listening);
}

function askUdp(server: Server, message: Buffer, id: number, question: Question, listening: Listening): Ask {
  const socket = createSocket(server.host.includes(':') ? 'udp6' : 'udp4');
  let open = true;
  let port = 0;
  const end = (): boolean => {
    if (!open) return false;
    open = false;
    socket.close();
    return true;
  };
  const fail = (): void => void (end() && listening.onFailure());
  // Connected: the kernel passes on only what comes from there, and tells when nobody is there.
  socket.on('error', fail);
  socket.on('message', (reply) => {
    // Not an answer to this question: somebody guesses. The true one may still come.
    if (open && answers(reply, id, question)) {
      end();
      listening.onReply(reply);
    }
  });
  socket.connect(server.port, server.host, () => {
    if (!open) return;
    port = socket.address().port;
    socket.send(message, (error) => void (error !== null && fail()));
  });
  return { id, localPort: () => port, close: () => void end() };
}

function askTcp(server: Server, message: Buffer, id: number, question: Question, listening: Listening): Ask {
  const socket = connect({ host: server.host, port: server.port, noDelay: true });
  let open = true;
  let port = 0;
  const received: Buffer[] = [];
  let length = 0;
  const end = (): boolean => {
    if (!open) return false;
    open = false;
    socket.destroy();
    return true;
  };
  const fail = (): void => void (end() && listening.onFailure());
  socket.on('error', fail).on('close', fail);
  socket.on('connect', () => {
    port = socket.localPort ?? 0;
    const prefixed = Buffer.alloc(2 + message.length);
    prefixed.writeUInt16BE(message.length, 0);
    message.copy(prefixed, 2);
    socket.write(prefixed);
  });
  socket.on('data', (chunk: Buffer) => {
    if (!open) return;
    received.push(chunk);
    length += chunk.length;
    // The first two bytes may come one by one.
    if (length < 2) return;
    if (received[0]!.length < 2) received.splice(0, received.length, Buffer.concat(received));
    const expected = 2 + received[0]!.readUInt16BE(0);
    if (length < expected) return;
    const reply = Buffer.concat(received).subarray(2, expected);
    if (!answers(reply, id, question)) fail();
    else if (end()) listening.onReply(reply);
  });
  return { id, localPort: () => port, close: () => void end() };
}

/** An answer, to this id and this question. An error may leave the question out. */
function answers(reply: Buffer, id: number, question: Question): boolean {
  if (reply.length < HEADER || reply.readUInt16BE(0) !== id) return false;
  const flags = reply.readUInt16BE(2);
  if ((flags & 0xf800) !== 0x8000) return false;
  const questions = reply.readUInt16BE(4);
  if (questions === 0) return (flags & 15) !== 0 && reply.readUInt16BE(6) === 0;
  if (questions !== 1) return false;
  const echoed = readQuestion(reply);
  return (
    echoed !== null &&
    echoed.name === question.name &&
    echoed.bytes.length === question.bytes.length &&
    // Type and class.
    echoed.bytes.compare(question.bytes, question.bytes.length - 4, question.bytes.length, echoed.bytes.length - 4) ===
      0
  );
}
