/** Every verb of the command line: what it is for, and where it is. Nothing is loaded before it is asked for. */
import type { Command } from 'commander';

export type Verb = {
  readonly summary: string;
  readonly load: () => Promise<{ readonly command: () => Command }>;
};

export type VerbName = keyof typeof VERBS;

export const VERBS = {
  up: { summary: 'run the whole mesh on this machine: control API, gateway, BookInfo', load: () => import('./up.ts') },
  apply: { summary: 'create or change resources from files', load: () => import('./apply.ts') },
  get: { summary: 'show resources of the mesh', load: () => import('./get.ts') },
  delete: { summary: 'remove resources', load: () => import('./delete.ts') },
  diff: { summary: 'show what apply would change', load: () => import('./diff.ts') },
  validate: { summary: 'check files, with no mesh running', load: () => import('./validate.ts') },
  analyze: { summary: 'find what is wrong together in the live mesh', load: () => import('./analyze.ts') },
  status: { summary: 'show which proxy runs which configuration', load: () => import('./status.ts') },
  config: {
    summary: 'show what one proxy runs with: listeners, routes, clusters, endpoints',
    load: () => import('./config.ts'),
  },
  history: { summary: 'show who changed what, and when', load: () => import('./history.ts') },
  rollback: {
    summary: 'put resources back to what they were at a revision',
    load: () => import('./rollback.ts'),
  },
  egress: {
    summary: 'show what leaves the mesh or is kept from it, and propose ServiceEntries for it',
    load: () => import('./egress.ts'),
  },
  explain: {
    summary: 'say what became of one request, proxy by proxy, and why',
    load: () => import('./explain.ts'),
  },
  stat: {
    summary: 'show requests a second, success rate and latencies of workloads, services, pods or routes',
    load: () => import('./stat.ts'),
  },
  edges: {
    summary: 'show who calls whom, split by version, and what is denied or blocked',
    load: () => import('./edges.ts'),
  },
  top: { summary: 'show what is called most at this moment, by path', load: () => import('./top.ts') },
  tap: { summary: 'show single requests as they happen', load: () => import('./tap.ts') },
  traces: { summary: 'list recent traces, or show one as a tree', load: () => import('./traces.ts') },
  logs: { summary: "show the access log of a workload's proxies", load: () => import('./logs.ts') },
  sidecar: { summary: 'run one sidecar proxy', load: () => import('./sidecar.ts') },
  iptables: {
    summary: 'redirect the connections of a network namespace to its sidecar',
    load: () => import('./iptables.ts'),
  },
  gateway: { summary: 'run one gateway proxy', load: () => import('./gateway.ts') },
  control: { summary: 'run the control API alone', load: () => import('./control.ts') },
  roll: {
    summary: 'replace the containers of pods in docker compose, one by one',
    load: () => import('./roll.ts'),
  },
  compose: {
    summary: 'print pods for docker compose, out of Deployments',
    load: () => import('./compose.ts'),
  },
  bookinfo: { summary: 'run one service of the BookInfo sample', load: () => import('./bookinfo.ts') },
  version: { summary: 'show the version of this program and of the control API', load: () => import('./version.ts') },
} satisfies Record<string, Verb>;
