/** Collects what could not be done as written; keeps one bad resource from taking others down. */
import type { Problem } from '../istio/problem.ts';
import type { Resource } from '../istio/resource.ts';
import type { SourceRef } from '../snapshot/route.ts';

export class Problems {
  readonly #byKey = new Map<string, Problem>();

  /** What is reported twice (once a port, say) is listed once. */
  add(severity: Problem['severity'], resource: Resource, path: string, message: string, code?: string): void {
    const { kind, metadata } = resource;
    const about = { kind, namespace: metadata.namespace, name: metadata.name };
    const problem = { severity, path, message, ...(code === undefined ? {} : { code }), resource: about };
    this.#byKey.set(JSON.stringify(problem), problem);
  }

  error(resource: Resource, path: string, message: string): void {
    this.add('error', resource, path, message);
  }

  warning(resource: Resource, path: string, message: string): void {
    this.add('warning', resource, path, message);
  }

  get list(): readonly Problem[] {
    return [...this.#byKey.values()];
  }

  /**
   * What `make` returns, or `instead` when it throws: a resource that came past validation with an unforeseen shape must
   * not stop the compilation of all others.
   */
  guard<T>(resource: Resource, instead: T, make: () => T): T {
    try {
      return make();
    } catch (e) {
      this.error(resource, '', `could not be compiled: ${e instanceof Error ? e.message : String(e)}`);
      return instead;
    }
  }
}

export const sourceOf = (resource: Resource, path: string): SourceRef => ({
  kind: resource.kind,
  namespace: resource.metadata.namespace,
  name: resource.metadata.name,
  path,
});
