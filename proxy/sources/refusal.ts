/** What the control API said when it refused something: a Kubernetes Status. */

const MAX_MESSAGE = 500;

/** Its `message`; else what came, as it is. */
export function messageOf(text: string): string {
  const message = field(text, 'message');
  return (typeof message === 'string' ? message : text.trim()).slice(0, MAX_MESSAGE);
}

/** Of an answer in JSON; undefined when it is none, or has no such field. */
export function field(text: string, name: string): unknown {
  try {
    return (JSON.parse(text) as Record<string, unknown> | null)?.[name];
  } catch {
    return undefined;
  }
}
