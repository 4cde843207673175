/** Message heads and chunks → bytes. Values were checked when they were read or compiled; nothing here can split a message. */
import type { HeaderList } from '../core/header-list.ts';

/** A request head as latin1 text. `chunked`: its body is sent in chunks, whatever it came in. */
export function requestHead(method: string, target: string, headers: HeaderList, chunked: boolean): string {
  let head = `${method} ${target} HTTP/1.1\r\n`;
  for (let i = 0; i < headers.length; i += 2) head += `${headers[i]!}: ${headers[i + 1]!}\r\n`;
  return chunked ? `${head}transfer-encoding: chunked\r\n\r\n` : `${head}\r\n`;
}

/** A response head as latin1 text. `connection`: value of the Connection field, "" for none. */
export function responseHead(
  status: number,
  reason: string,
  headers: HeaderList,
  chunked: boolean,
  connection: string,
): string {
  let head = `HTTP/1.1 ${status} ${reason}\r\n`;
  for (let i = 0; i < headers.length; i += 2) head += `${headers[i]!}: ${headers[i + 1]!}\r\n`;
  if (chunked) head += 'transfer-encoding: chunked\r\n';
  if (connection !== '') head += `connection: ${connection}\r\n`;
  return `${head}\r\n`;
}

/** The line before the data of a chunk; CRLF must follow the data. */
export const chunkLine = (size: number): string => `${size.toString(16)}\r\n`;

export const CRLF = '\r\n';

/** The last chunk, with its trailers. */
export function lastChunk(trailers: HeaderList): string {
  let text = '0\r\n';
  for (let i = 0; i < trailers.length; i += 2) text += `${trailers[i]!}: ${trailers[i + 1]!}\r\n`;
  return `${text}\r\n`;
}
