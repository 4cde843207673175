/** Collects findings, each at the place it is about: a cursor that goes down the fields of one resource. */

export type Path = readonly (string | number)[];

export type Finding = {
  readonly severity: 'error' | 'warning';
  readonly path: Path;
  readonly message: string;
  /** The key itself is the matter (an unknown field), not its value. */
  readonly onKey: boolean;
};

/** Past so many findings of one resource, more help nobody, and hostile input could make millions. */
const MOST = 200;

export class Report {
  readonly path: Path;
  readonly findings: Finding[];

  constructor(path: Path = [], findings: Finding[] = []) {
    this.path = path;
    this.findings = findings;
  }

  /** The cursor for something below: `report.at('http', 0, 'route')`. */
  at(...segments: Path): Report {
    return new Report([...this.path, ...segments], this.findings);
  }

  /** The cursor for another part of the same resource. */
  elsewhere(...path: Path): Report {
    return new Report(path, this.findings);
  }

  error(message: string, onKey = false): void {
    this.#add({ severity: 'error', path: this.path, message, onKey });
  }

  warning(message: string, onKey = false): void {
    this.#add({ severity: 'warning', path: this.path, message, onKey });
  }

  get failed(): boolean {
    return this.findings.some((f) => f.severity === 'error');
  }

  #add(finding: Finding): void {
    if (this.findings.length < MOST) this.findings.push(finding);
    else if (finding.severity === 'error' && !this.failed) this.findings[MOST - 1] = finding;
  }
}

/** `spec.http[0].match[1].headers[end-user]`, `metadata.labels[app.kubernetes.io/name]`. */
export function pathText(path: Path): string {
  let text = '';
  for (const segment of path) {
    if (typeof segment === 'number') text += `[${segment}]`;
    else if (/^[A-Za-z_$][\w$]*$/.test(segment)) text += text === '' ? segment : `.${segment}`;
    else text += `[${segment}]`;
  }
  return text;
}
