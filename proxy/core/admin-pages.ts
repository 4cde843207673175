/** Which pages of a proxy's admin port the control API may ask it for, and how large one may be. Both ends hold to it. */

/** Those that only show. What changes something is for whoever is on the proxy's own machine. */
export const SHOWN_PAGES: readonly string[] = [
  '/help',
  '/config_dump',
  '/clusters',
  '/listeners',
  '/egress',
  '/stats',
  '/stats/prometheus',
  '/ready',
  '/server_info',
  '/memory',
];

/** Bytes of one page; usual ones are below 1 MB. */
export const MAX_PAGE = 64 * 1024 * 1024;
/** Pages that one proxy is asked for at a time. */
export const MAX_PAGES = 32;
