/** Fast paths of Node's Buffer that @types/node does not list; documented by use in Node's own streams. */
declare global {
  interface Buffer {
    latin1Slice(start?: number, end?: number): string;
    utf8Write(text: string, offset: number): number;
  }
}

export {};
