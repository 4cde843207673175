/** What the Kubernetes API asks of whoever runs the pods: their logs, and commands inside them. */
import type { Readable, Writable } from 'node:stream';

export type LogOptions = {
  readonly follow: boolean;
  /** Last so many lines; null: all that is kept. */
  readonly tailLines: number | null;
  readonly previous: boolean;
  readonly timestamps: boolean;
};

export type ExecProcess = {
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** Exit code, or 128 + signal number. */
  readonly done: Promise<number>;
  kill(): void;
};

/** Null: no such pod or container. Both may throw a StatusError that says more. */
export type PodRuntime = {
  /** Its pods are those that registered themselves, and no others. */
  readonly registered?: boolean;
  logs(namespace: string, pod: string, container: string, options: LogOptions): MaybeLater<Readable | null>;
  /** Runs with the container's environment, so that HTTP clients go through its sidecar. */
  exec(namespace: string, pod: string, container: string, command: readonly string[]): MaybeLater<ExecProcess | null>;
};

type MaybeLater<T> = T | Promise<T>;
