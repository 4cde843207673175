/** Scripts in Lua for wrk: other requests than GETs of one path. */
import type { Probe } from '../targets/job.ts';

/** Each request is one of `probes` by chance. They are made once, so that the load costs little more than with one path. */
export function randomProbes(probes: readonly Probe[]): string {
  const requests = probes.map(({ path, headers }) => {
    const pairs = Object.entries(headers).map(([name, value]) => `[${quoted(name)}]=${quoted(value)}`);
    return `  wrk.format("GET", ${quoted(path)}, {${pairs.join(', ')}}),`;
  });
  return [
    'local requests',
    'function init()',
    '  math.randomseed(1)',
    '  requests = {',
    ...requests,
    '  }',
    'end',
    'function request() return requests[math.random(#requests)] end',
    '',
  ].join('\n');
}

/** POSTs of `bytes` bytes. */
export function uploads(bytes: number): string {
  return `wrk.method = "POST"\nwrk.body = string.rep("x", ${bytes})\nwrk.headers["Content-Type"] = "application/octet-stream"\n`;
}

/** A Lua string. */
function quoted(text: string): string {
  return `"${text.replaceAll(/[\\"]/g, '\\$&').replaceAll('\n', '\\n')}"`;
}
