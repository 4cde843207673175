/** Where resources come from: something that tells the whole set, each time it changes. */
import type { Problem } from '../istio/problem.ts';
import type { Resource } from '../istio/resource.ts';

export type Update = {
  readonly resources: readonly Resource[];
  /** Of reading them; compiling finds its own. */
  readonly problems: readonly Problem[];
  /** Of the control API's journal; 0 for files. */
  readonly revision: number;
};

export type Source = {
  /** Calls `onUpdate` with the first set and after each change; never throws. */
  start(onUpdate: (update: Update) => void): void;
  close(): void;
};

/** What a source says when something is wrong with itself (unreachable, unreadable): for the log. */
export type SourceLog = (level: 'info' | 'warn', message: string) => void;
