/** Lateen's own annotations of Telemetry resources: which spans are kept though they were not sampled, which share of lines is logged. */
import { parseDuration } from '../core/duration.ts';
import type { Meta } from './resource.ts';
import type { Report } from './report.ts';
import { shown } from './shown.ts';

/** `"true"`: spans of requests that fail are reported, whatever sampling has decided. */
export const KEEP_ERRORS = 'lateen.dev/trace-keep-errors';
/** `500ms`: as are those of requests that take longer. */
export const KEEP_SLOWER_THAN = 'lateen.dev/trace-keep-slower-than';
/** `"10"`: percent of the access log's lines that are written; those of errors always are. */
export const LOG_PERCENT = 'lateen.dev/access-log-percent';

const FORMS: Readonly<Record<string, (text: string) => string | null>> = {
  [KEEP_ERRORS]: (text) => (text === 'true' || text === 'false' ? null : '"true" or "false"'),
  [KEEP_SLOWER_THAN]: (text) => (parseDuration(text) === null ? 'a duration such as 500ms' : null),
  [LOG_PERCENT]: (text) => (percentOf(text) === null ? 'a number from 0 to 100' : null),
};

/** Null: it is none. */
export const percentOf = (text: string): number | null =>
  /^\d{1,3}(\.\d{1,4})?$/.test(text) && Number(text) <= 100 ? Number(text) : null;

/** `at`: the cursor of the annotations. */
export function checkTelemetryAnnotations({ annotations = {} }: Meta, at: Report): void {
  for (const [name, form] of Object.entries(FORMS)) {
    const text = Object.hasOwn(annotations, name) ? annotations[name] : undefined;
    const expected = text === undefined ? null : form(text);
    if (expected !== null) at.at(name).error(`expected ${expected}, got ${shown(text)}`);
  }
}
