/** What a line of the access log says of an outcome, for comparing. */

/** `503 UC upstream_reset_before_response_started{connection_termination}` */
export const told = (line: Record<string, unknown>): string =>
  ['response_code', 'response_flags', 'response_code_details'].map((name) => String(line[name])).join(' ');
