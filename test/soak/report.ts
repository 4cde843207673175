/** What a soak's samples say: slopes, a table, a plot. */
import type { Sample } from './proxy-process.ts';

/** Slope of the least-squares line through `points`, per hour when x is in seconds; 0 for fewer than three. */
export function slopePerHour(points: readonly (readonly [seconds: number, value: number])[]): number {
  const n = points.length;
  if (n < 3) return 0;
  const mx = points.reduce((sum, [x]) => sum + x, 0) / n;
  const my = points.reduce((sum, [, y]) => sum + y, 0) / n;
  const over = points.reduce((sum, [x, y]) => sum + (x - mx) * (y - my), 0);
  const under = points.reduce((sum, [x]) => sum + (x - mx) ** 2, 0);
  return under === 0 ? 0 : (over / under) * 3600;
}

/** The second half, in which whatever warms up has warmed up. */
export const secondHalf = (samples: readonly Sample[]): readonly Sample[] =>
  samples.slice(Math.floor(samples.length / 2));

export function csvOf(samples: readonly Sample[]): string {
  const names = [...new Set(samples.flatMap(({ metrics }) => Object.keys(metrics)))].sort();
  const head = ['seconds', 'rss_mb', 'pss_mb', 'fds', 'threads', 'cpu_percent', ...names];
  const rows = samples.map((s) => [
    s.at.toFixed(1),
    s.rssMb.toFixed(2),
    s.pssMb.toFixed(2),
    s.fds,
    s.threads,
    s.cpu.toFixed(1),
    ...names.map((name) => s.metrics[name] ?? ''),
  ]);
  return [head, ...rows].map((row) => row.join(',')).join('\n') + '\n';
}

/** Memory over time, with the line through the second half. */
export function svgOf(samples: readonly Sample[]): string {
  const [w, h, pad] = [800, 300, 45];
  const end = Math.max(1, ...samples.map(({ at }) => at));
  const top = Math.max(1, ...samples.map(({ rssMb }) => rssMb)) * 1.15;
  const x = (seconds: number): string => (pad + (seconds / end) * (w - 2 * pad)).toFixed(1);
  const y = (mb: number): string => (h - pad - (mb / top) * (h - 2 * pad)).toFixed(1);
  const line = (of: (s: Sample) => number, color: string): string =>
    `<polyline fill="none" stroke="${color}" points="${samples.map((s) => `${x(s.at)},${y(of(s))}`).join(' ')}"/>`;
  const slope = slopePerHour(secondHalf(samples).map((s) => [s.at, s.rssMb]));
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${w} ${h}" font-family="sans-serif" font-size="12">`,
    `<rect width="${w}" height="${h}" fill="white"/>`,
    `<line x1="${pad}" y1="${y(0)}" x2="${w - pad}" y2="${y(0)}" stroke="#999"/>`,
    line((s) => s.rssMb, '#1f6feb'),
    line((s) => s.pssMb, '#2da44e'),
    `<text x="${pad}" y="20">RSS (blue) and PSS (green) of the proxy, MB; second half ${slope.toFixed(1)} MB/h</text>`,
    `<text x="4" y="${y(top / 1.15)}">${(top / 1.15).toFixed(0)}</text><text x="4" y="${y(0)}">0</text>`,
    `<text x="${w - pad - 40}" y="${h - 20}">${end.toFixed(0)} s</text>`,
    '</svg>',
    '',
  ].join('\n');
}
