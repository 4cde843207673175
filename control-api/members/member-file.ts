/** Keeps what registered over a restart of the control API: members.json in the state directory, always whole. */
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isObject, type Json } from '../kube/json.ts';
import { memberName, memberOf } from './member.ts';
import type { Lost, PodFacts } from './member-pod.ts';

export const MEMBERS_FILE = 'members.json';

/** Changes this close together are one write. */
const WRITE_MS = 100;
const LOST: readonly Lost['reason'][] = ['NodeStatusUnknown', 'Unreachable'];

/** `onError`: one sentence for whoever runs this. */
export class MemberFile {
  readonly #path: string;
  readonly #all: () => readonly PodFacts[];
  readonly #onError: (message: string) => void;
  #timer: NodeJS.Timeout | null = null;
  #writing = false;
  #dirty = false;

  constructor(dir: string, all: () => readonly PodFacts[], onError: (message: string) => void) {
    this.#path = join(dir, MEMBERS_FILE);
    this.#all = all;
    this.#onError = onError;
  }

  /** As it was written last. What cannot be read is left out, and told. */
  read(): readonly PodFacts[] {
    if (!existsSync(this.#path)) return [];
    try {
      const list = JSON.parse(readFileSync(this.#path, 'utf8')) as Json;
      if (!Array.isArray(list)) throw new Error('expected a list');
      return (list as readonly Json[]).flatMap((item) => this.#factsOf(item));
    } catch (error) {
      this.#failed('cannot be read', error);
      return [];
    }
  }

  /** Soon: something has changed. */
  touch(): void {
    this.#dirty = true;
    if (this.#writing || this.#timer !== null) return;
    this.#timer = setTimeout(() => void this.#write(), WRITE_MS).unref();
  }

  /** Writes what is left to write, now. */
  close(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    if (!this.#dirty) return;
    this.#dirty = false;
    try {
      writeFileSync(`${this.#path}.last`, this.#text(), { mode: 0o600 });
      renameSync(`${this.#path}.last`, this.#path);
    } catch (error) {
      this.#failed('cannot be written', error);
    }
  }

  async #write(): Promise<void> {
    this.#timer = null;
    this.#writing = true;
    this.#dirty = false;
    try {
      await writeFile(`${this.#path}.new`, this.#text(), { mode: 0o600 });
      await rename(`${this.#path}.new`, this.#path);
    } catch (error) {
      this.#failed('cannot be written', error);
    }
    this.#writing = false;
    if (this.#dirty) this.touch();
  }

  #text(): string {
    const kept = this.#all().map(({ namespace, name, member, lost, since }) => ({
      pod: `${name}.${namespace}`,
      since,
      lost,
      member,
    }));
    return `${JSON.stringify(kept)}\n`;
  }

  #factsOf(item: Json): PodFacts[] {
    try {
      if (!isObject(item)) throw new Error('expected an object');
      const { pod, since, lost = null, member = null } = item;
      const at = typeof since === 'string' && !Number.isNaN(Date.parse(since)) ? since : new Date().toISOString();
      return [{ ...memberName(pod), member: memberOf(member), lost: lostOf(lost), since: at }];
    } catch (error) {
      this.#failed('has an entry that cannot be read', error);
      return [];
    }
  }

  #failed(what: string, error: unknown): void {
    this.#onError(`${this.#path} ${what}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function lostOf(value: Json): Lost | null {
  const reason = isObject(value) ? LOST.find((r) => r === value['reason']) : undefined;
  const message = isObject(value) && typeof value['message'] === 'string' ? value['message'].slice(0, 512) : '';
  return reason === undefined ? null : { reason, message };
}
