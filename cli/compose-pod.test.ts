import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { BOOKINFO, made, shop, type Seen } from './compose.kit.ts';

const root = parse(readFileSync('docker-compose.yml', 'utf8'), { merge: true, maxAliasCount: -1 }) as {
  readonly services: Seen;
};
const WORKLOADS = BOOKINFO.filter((r) => r.kind === 'Deployment').map((r) => r.metadata.name);

describe('BookInfo', () => {
  test.each(WORKLOADS)('%s is what docker-compose.yml says', (name) => {
    const { services, said } = made(BOOKINFO, 1, name);
    expect(said).toEqual([]);
    expect(Object.keys(services)).toEqual([`${name}-pod`, name, `${name}-sidecar`]);
    for (const service of Object.keys(services)) expect(services[service], service).toEqual(root.services[service]);
  });

  test('another pod of it differs by its name alone, and says whose it is', () => {
    const { services } = made(BOOKINFO, 2, 'reviews-v3');
    const renamed = JSON.parse(
      JSON.stringify(services).replaceAll('reviews-v3-2', 'reviews-v3'),
    ) as typeof root.services;
    const { LATEEN_NAME, ...environment } = renamed['reviews-v3-sidecar']!['environment'] as Record<string, string>;
    expect(LATEEN_NAME).toBe('reviews-v3');
    expect({ ...renamed['reviews-v3-sidecar'], environment }).toEqual(root.services['reviews-v3-sidecar']);
    expect(renamed['reviews-v3']).toEqual(root.services['reviews-v3']);
    expect(renamed['reviews-v3-pod']).toEqual(root.services['reviews-v3-pod']);
    expect(services['reviews-v3-2-sidecar']!['environment']).toMatchObject({
      LATEEN_NAME: 'reviews-v3-2',
      LATEEN_WORKLOAD: 'reviews-v3',
      LATEEN_IP: 'reviews-v3-2.pod',
    });
  });
});

describe('a Deployment of one’s own', () => {
  test('its image, command, rights and limits as compose says them', () => {
    const { services, said } = shop(`
terminationGracePeriodSeconds: 40
securityContext: { runAsUser: 2000, runAsGroup: 3000 }
containers:
  - name: web
    image: example.com/shop:1.2
    command: [/bin/shop, "--greet=$(WHO)", "$$(WHO)", "$HOME"]
    args: [serve]
    workingDir: /srv
    env: [{ name: WHO, value: you }, { name: GREETING, value: "$(WHO) pay $5" }]
    ports: [{ name: admin, containerPort: 9000 }, { name: web, containerPort: 8000 }, { containerPort: 53, protocol: UDP }]
    readinessProbe: { httpGet: { path: "/ok?deep=1", port: web } }
    resources: { limits: { cpu: 500m, memory: 128Mi } }
    securityContext: { readOnlyRootFilesystem: true, allowPrivilegeEscalation: false, capabilities: { drop: [ALL], add: [NET_BIND_SERVICE] } }`);
    expect(said).toEqual([]);
    expect(services['shop']).toEqual({
      restart: 'unless-stopped',
      logging: root.services['reviews-v1']!['logging'],
      image: 'example.com/shop:1.2',
      network_mode: 'service:shop-pod',
      entrypoint: ['/bin/shop', '--greet=you', '$$(WHO)', '$$HOME'],
      command: ['serve'],
      working_dir: '/srv',
      user: '2000:3000',
      cap_drop: ['ALL'],
      cap_add: ['NET_BIND_SERVICE'],
      security_opt: ['no-new-privileges:true'],
      read_only: true,
      cpus: 0.5,
      mem_limit: '128m',
      stop_grace_period: '40s',
      environment: { WHO: 'you', GREETING: 'you pay $$5' },
      labels: { 'dev.lateen.redirect': '${INCLUDE_OUTBOUND_IP_RANGES-*} ${EXCLUDE_OUTBOUND_IP_RANGES-}' },
      depends_on: { 'shop-pod': { condition: 'service_healthy' } },
    });
    expect(services['shop-sidecar']).toMatchObject({
      stop_grace_period: '48s',
      environment: {
        LATEEN_WORKLOAD: 'shop',
        LATEEN_LABELS: 'app=shop,version=v1',
        LATEEN_SERVICE_ACCOUNT: 'default',
        LATEEN_APP_NAME: 'web',
        LATEEN_APP_IMAGE: 'example.com/shop:1.2',
        LATEEN_APP_PORT: '9000 8000',
        LATEEN_APP_PROBE: 'http://127.0.0.1:8000/ok?deep=1',
        LATEEN_DRAIN: '38s',
      },
    });
  });

  test.each([
    ['tcpSocket: { port: 8000 }', 'tcp://127.0.0.1:8000'],
    ['httpGet: { port: 8000 }', 'http://127.0.0.1:8000/'],
    ['httpGet: { port: 8000, path: /a b/$x }', 'http://127.0.0.1:8000/a%20b/$$x'],
    ['httpGet: { port: 8000, scheme: HTTPS }', 'tcp://127.0.0.1:8000'],
    ['exec: { command: [check, $it] }', 'tcp://127.0.0.1:7000'],
  ])('readinessProbe %s is asked as %s', (probe, url) => {
    const { services } = shop(
      `containers: [{ name: shop, image: shop, ports: [{ containerPort: 7000 }], readinessProbe: { ${probe} } }]`,
    );
    expect(services['shop-sidecar']!['environment']).toMatchObject({ LATEEN_APP_PROBE: url });
    if (probe.startsWith('exec'))
      expect(services['shop']!['healthcheck']).toMatchObject({ test: ['CMD', 'check', '$$it'], interval: '10s' });
    else expect(services['shop']).not.toHaveProperty('healthcheck');
  });

  test('values of Secrets and ConfigMaps in the files; others are asked of compose', () => {
    const { services, said, wanted } = shop(
      `
containers:
  - name: shop
    image: shop
    envFrom: [{ prefix: S_, configMapRef: { name: settings } }, { configMapRef: { name: none, optional: true } }]
    env:
      - { name: PASSWORD, valueFrom: { secretKeyRef: { name: login, key: password } } }
      - { name: USER, valueFrom: { secretKeyRef: { name: my-db, key: user.name } } }
      - { name: URL, value: "db://$(USER):$(PASSWORD)@db" }
      - { name: MAYBE, valueFrom: { secretKeyRef: { name: my-db, key: more, optional: true } } }
      - { name: POD, valueFrom: { fieldRef: { fieldPath: metadata.name } } }`,
      {
        others: `
apiVersion: v1
kind: Secret
metadata: { name: login }
data: { password: ${Buffer.from('a$b').toString('base64')} }
---
apiVersion: v1
kind: ConfigMap
metadata: { name: settings }
data: { COLOUR: red }
---`,
      },
    );
    expect(said).toEqual([]);
    const asked = '${MY_DB_USER_NAME?key user.name of Secret default/my-db}';
    expect(services['shop']!['environment']).toEqual({
      S_COLOUR: 'red',
      PASSWORD: 'a$$b',
      USER: asked,
      URL: `db://${asked}:a$$b@db`,
      MAYBE: null,
      POD: 'shop',
    });
    expect([...wanted]).toEqual([['MY_DB_USER_NAME', 'key user.name of Secret default/my-db']]);
  });

  test('annotations: redirection, and metrics of the application', () => {
    const { services, said } = shop('containers: [{ name: shop, image: shop, ports: [{ containerPort: 80 }] }]', {
      annotations:
        'traffic.sidecar.istio.io/includeOutboundIPRanges: "10.0.0.0/8", traffic.sidecar.istio.io/excludeInboundPorts: "22", ' +
        'traffic.sidecar.istio.io/excludeOutboundPorts: "3306", prometheus.io/scrape: "true", prometheus.io/port: "80"',
    });
    expect(said).toEqual([]);
    expect(services['shop-pod']!['command']).toEqual([
      '--redirect-dns',
      '--istio-service-cidr=10.0.0.0/8',
      '--istio-service-exclude-cidr=${EXCLUDE_OUTBOUND_IP_RANGES-}',
      '--istio-local-exclude-ports=15090,15021,15020,22',
      '--istio-local-outbound-ports-exclude=3306',
    ]);
    expect(services['shop-sidecar']!['environment']).toMatchObject({
      LATEEN_APP_METRICS: 'http://127.0.0.1:80/metrics',
    });
  });

  test('without a sidecar it is a container of the network, and nothing else', () => {
    const { services, file } = shop('containers: [{ name: a, image: a }, { name: b, image: b }]', {
      annotations: 'sidecar.istio.io/inject: "false"',
    });
    expect(file.sidecar).toBe(false);
    expect(Object.keys(services)).toEqual(['shop', 'shop-b']);
    expect(services['shop']).toMatchObject({ hostname: 'shop', networks: { mesh: { aliases: ['shop.pod'] } } });
    expect(services['shop-b']).toMatchObject({
      network_mode: 'service:shop',
      depends_on: { shop: { condition: 'service_started' } },
    });
  });

  test('several containers, init containers and what they share', () => {
    const { services, file, said } = shop(`
initContainers:
  - { name: istio-init, image: proxyv2, args: [istio-iptables] }
  - { name: fill, image: fill, volumeMounts: [{ name: data, mountPath: /data }] }
containers:
  - { name: shop, image: shop, volumeMounts: [{ name: data, mountPath: /data, readOnly: true }, { name: cache, mountPath: /cache }] }
  - { name: helper, image: helper, ports: [{ containerPort: 70 }] }
  - { name: istio-proxy, image: proxyv2, volumeMounts: [{ name: token, mountPath: /var/run/token }] }
volumes:
  - { name: data, emptyDir: {} }
  - { name: cache, emptyDir: { sizeLimit: 64Mi } }
  - { name: token, projected: {} }`);
    expect(Object.keys(services)).toEqual(['shop-pod', 'shop-fill', 'shop', 'shop-helper', 'shop-sidecar']);
    expect(services['shop-fill']).toMatchObject({ restart: 'no', volumes: ['shop-data:/data'] });
    expect(services['shop']).toMatchObject({
      volumes: ['shop-data:/data:ro'],
      tmpfs: ['/cache:exec,size=67108864'],
      depends_on: {
        'shop-pod': { condition: 'service_healthy' },
        'shop-fill': { condition: 'service_completed_successfully' },
      },
    });
    expect(services['shop-pod']).toMatchObject({ healthcheck: { interval: '2s' } });
    expect(services['shop-helper']!['network_mode']).toBe('service:shop-pod');
    expect(services['shop-pod']!['volumes']).toEqual(['pods:/run/lateen/pods', 'shop-data:/volumes/shop-data']);
    expect(services['shop-sidecar']!['depends_on']).toHaveProperty('shop-helper');
    expect(services['shop-sidecar']!['environment']).toMatchObject({ LATEEN_APP_PORT: '70' });
    expect(Object.keys(file.volumes)).toEqual(['shop-data']);
    expect(said).toEqual([
      'warning spec.template.spec.initContainers[1]: runs before the sidecar, so that it reaches nothing by TCP, as with Istio in Kubernetes',
    ]);
  });

  test('BookInfo’s images on another port, and those that serve no HTTP', () => {
    const other = shop(
      'containers: [{ name: r, image: lateen/bookinfo-ratings-v1, ports: [{ containerPort: 8080 }] }]',
    );
    expect(other.services['shop']).toMatchObject({ image: 'lateen', command: ['bookinfo', 'ratings'] });
    expect(JSON.stringify(other.services['shop']!['healthcheck'])).toContain('127.0.0.1:8080/health');
    expect(other.services['shop']!['environment']).toMatchObject({ PORT: '8080', SERVICE_VERSION: 'v1' });
    const mysql = shop('containers: [{ name: m, image: lateen/bookinfo-mysql, ports: [{ containerPort: 3306 }] }]');
    expect(mysql.services['shop']).toMatchObject({ image: 'lateen', healthcheck: { disable: true } });
    expect(mysql.services['shop-sidecar']!['environment']).toMatchObject({ LATEEN_APP_PROBE: 'tcp://127.0.0.1:3306' });
  });
});
