/**
 * YAML (and so JSON) into plain values that remember where they stood. The `yaml` package reads the syntax; values are made
 * here, because hostile text has to stay cheap: duplicate keys are found in linear time, aliases are paid for by what they
 * stand for, and nesting ends at a limit.
 */
import {
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  parseAllDocuments,
  type Document,
  type Node,
  type Pair,
} from 'yaml';
import type { Path } from './report.ts';

export type Place = { readonly line: number; readonly column: number };
export type Fault = Place & { readonly message: string; readonly severity: 'error' | 'warning' };

export type YamlDocument = {
  readonly value: unknown;
  /** The place of a value, or of its key; of the nearest thing around it when there is no such value. */
  locate(path: Path, onKey: boolean): Place;
};

/** Aliases multiply: a few lines can stand for more values than memory holds. A long text counts as several. */
const MOST_VALUES = 1_000_000;
/** Characters of a text that count as one value more. */
const CHARACTERS_A_VALUE = 64;
const DEEPEST = 100;
/** Of one document. One refuses it already; hostile text could raise millions. */
const MOST_FAULTS = 20;

/** Documents with a fault are left out; empty ones too. Never throws. */
export function readYaml(text: string): { documents: YamlDocument[]; faults: Fault[] } {
  const lines = new LineCounter();
  const faults: Fault[] = [];
  const place = (offset: number): Place => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(line, 1), column: Math.max(col, 1) };
  };
  const documents: YamlDocument[] = [];
  try {
    const options = { lineCounter: lines, uniqueKeys: false, prettyErrors: false, logLevel: 'silent' } as const;
    for (const document of parseAllDocuments(text, options)) {
      const read = readDocument(document, place, faults);
      if (read !== null) documents.push(read);
    }
  } catch (error) {
    faults.push({ line: 1, column: 1, message: worded(String(error)), severity: 'error' });
  }
  return { documents, faults };
}

function readDocument(document: Document, place: (offset: number) => Place, faults: Fault[]): YamlDocument | null {
  for (const { message, pos } of document.warnings.slice(0, MOST_FAULTS)) {
    faults.push({ ...place(pos[0]), message, severity: 'warning' });
  }
  for (const { message, pos } of document.errors.slice(0, MOST_FAULTS)) {
    faults.push({ ...place(pos[0]), message: worded(message), severity: 'error' });
  }
  if (document.errors.length > 0 || document.contents === null) return null;
  const reader = new Reader();
  const value = reader.read(document.contents, 0);
  for (const { message, node } of reader.faults) {
    faults.push({ ...place(node.range?.[0] ?? 0), message, severity: 'error' });
  }
  if (reader.faults.length > 0 || value === null) return null;
  const root = document.contents;
  return { value, locate: (path, onKey) => place(offsetOf(root, path, onKey, reader.anchors)) };
}

/** The parser recurses: thousands of nested brackets overflow its stack, which it reports as an error of the text. */
const worded = (message: string): string =>
  /stack (size|overflow)/i.test(message) ? `expected at most ${DEEPEST} levels of nesting` : message;

/** Makes values of one document's nodes, in the order of the text. */
class Reader {
  readonly faults: { message: string; node: Node }[] = [];
  /** The last node of each anchor. */
  readonly anchors = new Map<string, Node>();
  readonly #finished = new Map<Node, { value: unknown; values: number }>();
  #values = 0;

  read(node: unknown, depth: number): unknown {
    if (!isNode(node)) return null;
    if (isAlias(node)) return this.#readAlias(node.source, node);
    this.#values++;
    if (depth > DEEPEST) return this.#fault(`expected at most ${DEEPEST} levels of nesting`, node);
    const { anchor } = node as { anchor?: string };
    const before = this.#values;
    if (anchor !== undefined) this.anchors.set(anchor, node);
    const value = this.#readPlain(node, depth);
    if (anchor !== undefined) this.#finished.set(node, { value, values: this.#values - before + 1 });
    return value;
  }

  #readPlain(node: Node, depth: number): unknown {
    if (isScalar(node)) {
      if (typeof node.value !== 'string') return node.value;
      this.#values += Math.floor(node.value.length / CHARACTERS_A_VALUE);
      return ownText(node.value);
    }
    if (isSeq(node)) return node.items.map((item) => this.read(item, depth + 1));
    if (isMap(node)) return this.#readMap(node.items, depth);
    return this.#fault('expected a value', node);
  }

  #readAlias(anchor: string, node: Node): unknown {
    const target = this.anchors.get(anchor);
    const finished = target === undefined ? undefined : this.#finished.get(target);
    if (target === undefined) return this.#fault(`unknown alias \`${anchor}\``, node);
    if (finished === undefined) return this.#fault(`alias \`${anchor}\` stands inside of what it stands for`, node);
    this.#values += finished.values;
    if (this.#values > MOST_VALUES)
      return this.#fault(`expected at most ${MOST_VALUES} values, got more through aliases`, node);
    return finished.value;
  }

  #readMap(pairs: readonly Pair[], depth: number): unknown {
    const record: Record<string, unknown> = {};
    const seen = new Set<string>();
    const merged: unknown[] = [];
    for (const pair of pairs) {
      const key = keyText(pair.key);
      if (key === null) {
        this.#fault('expected a name as key', isNode(pair.key) ? pair.key : (pair.value as Node));
        continue;
      }
      if (seen.has(key)) this.#fault(`duplicate key \`${key}\``, pair.key as Node);
      seen.add(key);
      const value = this.read(pair.value, depth + 1);
      if (isMergeKey(pair.key)) merged.push(...(Array.isArray(value) ? value : [value]));
      else define(record, key, value);
    }
    for (const other of merged) {
      for (const [key, value] of Object.entries(typeof other === 'object' && other !== null ? other : {})) {
        if (!Object.hasOwn(record, key)) define(record, key, value);
      }
    }
    return record;
  }

  #fault(message: string, node: Node): null {
    if (this.faults.length < MOST_FAULTS) this.faults.push({ message, node });
    return null;
  }
}

/**
 * The same text on its own. What a parser cuts out of a file is a window on the whole file: it keeps that in memory, and one character
 * beyond Latin-1 anywhere in it makes V8 handle every piece with two bytes a character, down to the heads that are sent.
 */
const ownText = (text: string): string => JSON.parse(JSON.stringify(text)) as string;

/** As JSON.parse does it: `__proto__` becomes a member like any other. */
function define(record: Record<string, unknown>, key: string, value: unknown): void {
  Object.defineProperty(record, key, { value, writable: true, enumerable: true, configurable: true });
}

const isNode = (node: unknown): node is Node => typeof node === 'object' && node !== null && 'range' in node;

/** Keys are names, also where YAML sees a number or a boolean: `8080: {mode: DISABLE}`. */
function keyText(key: unknown): string | null {
  if (!isScalar(key) || key.value === null) return null;
  return typeof key.value === 'string' ? key.value : (key.source ?? null);
}

/** YAML 1.1's `<<`, which kubectl understands. */
const isMergeKey = (key: unknown): boolean => isScalar(key) && key.value === '<<' && key.type === 'PLAIN';

function offsetOf(root: Node, path: Path, onKey: boolean, anchors: ReadonlyMap<string, Node>): number {
  let node: unknown = root;
  let offset = root.range?.[0] ?? 0;
  for (const [depth, segment] of path.entries()) {
    if (isAlias(node)) node = anchors.get(node.source);
    if (isMap(node)) {
      const pair: Pair | undefined = node.items.find(({ key }) => keyText(key) === String(segment));
      if (pair === undefined) return offset;
      node = pair.value;
      const last = depth === path.length - 1;
      const holder = isScalar(node) && !(last && onKey) ? node : pair.key;
      offset = (isNode(holder) ? holder.range?.[0] : undefined) ?? offset;
    } else if (isSeq(node)) {
      node = node.items[Number(segment)];
      if (!isNode(node)) return offset;
      offset = node.range?.[0] ?? offset;
    } else return offset;
  }
  return offset;
}
