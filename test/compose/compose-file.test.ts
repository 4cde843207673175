/** What docker-compose.yml says, looked at without Docker: pods are whole, nobody may more than needed, paths and names lead somewhere. */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';

type Service = {
  readonly image: string;
  readonly build?: object;
  readonly user?: string;
  readonly read_only?: boolean;
  readonly restart?: string;
  readonly profiles?: readonly string[];
  readonly command?: string | readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly cap_add?: readonly string[];
  readonly cap_drop?: readonly string[];
  readonly security_opt?: readonly string[];
  readonly network_mode?: string;
  readonly networks?: Readonly<Record<string, { readonly aliases?: readonly string[] }>> | readonly string[];
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly ports?: readonly string[];
  readonly volumes?: readonly string[];
};

const text = readFileSync('docker-compose.yml', 'utf8');
const compose = parse(text, { merge: true, maxAliasCount: -1 }) as {
  readonly services: Readonly<Record<string, Service>>;
  readonly volumes: object;
  readonly networks: object;
};
const { services } = compose;
const names = Object.keys(services);
const settings = Object.fromEntries(
  readFileSync('.env', 'utf8')
    .split('\n')
    .flatMap((line) => (/^[A-Z]/.test(line) ? [line.split(/=(.*)/s).slice(0, 2) as [string, string]] : [])),
);
const ours = names.filter((name) => services[name]!.image === 'lateen');
const pods = names.filter((name) => name.endsWith('-pod')).map((name) => name.slice(0, -4));

type Deployment = {
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly spec: {
    readonly template: {
      readonly metadata: { readonly labels: Readonly<Record<string, string>> };
      readonly spec: { readonly serviceAccountName: string };
    };
  };
};

describe('docker-compose.yml', () => {
  test('has a pod for each Deployment of BookInfo, with its labels and its account', () => {
    const documents = parseAllDocuments(readFileSync('config/bookinfo/bookinfo.yaml', 'utf8')).map(
      (document) => document.toJS() as Deployment,
    );
    const wanted = documents.filter(({ kind }) => kind === 'Deployment');
    expect([...pods].sort()).toEqual(wanted.map(({ metadata }) => metadata.name).sort());
    for (const { metadata, spec } of wanted) {
      const { environment = {} } = services[`${metadata.name}-sidecar`]!;
      const { labels } = spec.template.metadata;
      expect(environment['LATEEN_WORKLOAD']).toBe(metadata.name);
      expect(environment['LATEEN_LABELS']).toBe(`app=${labels['app']},version=${labels['version']}`);
      expect(environment['LATEEN_SERVICE_ACCOUNT']).toBe(spec.template.spec.serviceAccountName);
    }
  });

  test.each(pods)('%s is whole: a network, an application and a sidecar in it', (name) => {
    const [pod, app, sidecar] = [services[`${name}-pod`]!, services[name]!, services[`${name}-sidecar`]!];
    expect(pod.environment).toEqual({ LATEEN_POD: name });
    expect(pod.networks).toEqual({ mesh: { aliases: [`${name}.pod`] }, outside: {} });
    expect(sidecar.environment?.['LATEEN_IP']).toBe(`${name}.pod`);
    expect(sidecar.environment?.['LATEEN_STATE']).toMatch(new RegExp(`/${name}$`));
    for (const member of [app, sidecar]) {
      expect(member.network_mode).toBe(`service:${name}-pod`);
      expect(member.depends_on?.[`${name}-pod`]?.condition).toBe('service_started');
      expect(member.environment?.['LATEEN_POD_FILE']).toBe(`/run/lateen/pods/${name}`);
    }
    // So that the sidecar is stopped first, and the application serves until it has drained.
    expect(sidecar.depends_on).toHaveProperty(name);
    expect([pod.user, app.user, sidecar.user]).toEqual(['0:0', '1000:1000', '1337:1337']);
  });

  test.each(ours)('%s may do no more than it needs', (name) => {
    const service = services[name]!;
    expect(service).toMatchObject({ read_only: true, cap_drop: ['ALL'], security_opt: ['no-new-privileges:true'] });
    expect(service.cap_add !== undefined).toBe(name.endsWith('-pod'));
    expect(service.user === '0:0').toBe(name.endsWith('-pod'));
    expect(service.restart).toMatch(/^(unless-stopped|on-failure)$/);
  });

  test('the image says which version it is', () => {
    const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
    expect(readFileSync('Dockerfile', 'utf8')).toContain(`org.opencontainers.image.version="${version}"`);
  });

  test('one service builds the image, and is there before all others that use it', () => {
    expect(ours.filter((name) => services[name]!.build !== undefined)).toEqual(['control']);
    const reaches = (name: string): boolean =>
      name === 'control' || Object.keys(services[name]!.depends_on ?? {}).some(reaches);
    expect(ours.filter((name) => !reaches(name))).toEqual([]);
  });

  test('everything is published on this machine alone unless somebody says otherwise, and each port can be changed', () => {
    const ports = names.flatMap((name) => services[name]!.ports ?? []);
    expect(ports).toHaveLength(6);
    for (const port of ports) expect(port).toMatch(/^\$\{LATEEN_BIND-127\.0\.0\.1\}:\$\{[A-Z_]+_PORT-\d+\}:\d+$/);
  });

  test('what .env sets is what holds without it, and nothing is set that nobody reads', () => {
    const files = text + readFileSync('docker-compose.logs.yml', 'utf8');
    const defaults = new Map([...files.matchAll(/\$\{([A-Z_]+)-([^}]*)\}/g)].map(([, name, value]) => [name!, value!]));
    for (const [name, value] of Object.entries(settings)) {
      if (name.startsWith('COMPOSE_')) continue;
      expect([name, defaults.get(name)]).toEqual([name, value]);
    }
    const profiles = [...new Set(names.flatMap((name) => services[name]!.profiles ?? []))];
    expect(settings['COMPOSE_PROFILES']!.split(',').sort()).toEqual(profiles.sort());
  });

  test('mounts and commands name files that are there', () => {
    for (const name of names) {
      for (const mount of services[name]!.volumes ?? []) {
        const [from = ''] = mount.split(':');
        if (from.startsWith('.')) expect(existsSync(from), `${name}: ${mount}`).toBe(true);
        else expect(Object.keys(compose.volumes), `${name}: ${mount}`).toContain(from);
      }
      for (const [, path] of [services[name]!.command ?? []]
        .flat()
        .join(' ')
        .matchAll(/[ =]\/lateen\/(\S+)/g))
        expect(existsSync(path!), `${name}: ${path}`).toBe(true);
    }
    for (const script of ['docker/pod.sh', 'docker/warm.sh', 'lateen'])
      expect(statSync(script).mode & 0o111, script).not.toBe(0);
  });

  test('Grafana is shown what is there', () => {
    const { environment = {}, volumes = [] } = services['grafana']!;
    const mount = volumes.find((v) => v.startsWith('./config/grafana:'))!.split(':')[1]!;
    const there = (path: string): boolean => existsSync(path.replace(mount, 'config/grafana'));
    for (const name of ['GF_PATHS_PROVISIONING', 'GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH', 'LATEEN_DASHBOARDS'])
      expect(there(environment[name]!), environment[name]).toBe(true);
    const provisioning = ['datasources/prometheus.yaml', 'dashboards/lateen.yaml']
      .map((file) => readFileSync(`config/grafana/provisioning/${file}`, 'utf8'))
      .join('');
    for (const [, name] of provisioning.matchAll(/\$(LATEEN_[A-Z_]+)/g)) expect(environment).toHaveProperty(name!);
  });

  test('Prometheus there is configured as elsewhere, but for the name of the control API', () => {
    const read = (file: string): unknown => parse(readFileSync(`config/prometheus/${file}`, 'utf8'));
    const there = JSON.stringify(read('compose.yml')).replaceAll('control:8001', 'localhost:8001');
    expect(JSON.parse(there)).toEqual(read('prometheus.yml'));
  });
});
