/** Which images test/compose/images/make.sh makes is read out of Dockerfile and docker-compose.yml, and what it cannot make it names. */
import { strict as assert } from 'node:assert';
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';

const MAKE = new URL('images/make.sh', import.meta.url).pathname;
const root = mkdtempSync(join(tmpdir(), 'lateen-images-'));
const copy = join(root, 'test/compose/images/make.sh');
mkdirSync(join(root, 'test/compose/images'), { recursive: true });
copyFileSync(MAKE, copy);
afterAll(() => rmSync(root, { recursive: true }));

/** What `make.sh --names` says of these two files. */
function names(dockerfile: string, ...images: readonly string[]): { names: string[]; error: string } {
  writeFileSync(join(root, 'Dockerfile'), dockerfile);
  const services = images.map((image, i) => `  service-${i}:\n    image: ${image}\n    command: [run]\n`);
  writeFileSync(join(root, 'docker-compose.yml'), `services:\n${services.join('')}`);
  const { stdout, stderr, status } = spawnSync('bash', [copy, '--names'], { encoding: 'utf8' });
  assert.equal(status === 0, stderr === '', stderr);
  return { names: stdout.split('\n').filter((line) => line !== ''), error: stderr.trim() };
}

test("the project's own files name images that can all be made", () => {
  const { status, stdout, stderr } = spawnSync('bash', [MAKE, '--names'], { encoding: 'utf8' });
  assert.equal(status, 0, stderr);
  expect(stdout).toMatch(/^node:\d+-(\w+-)?slim$/m);
});

test.each([
  ['FROM node:26-slim\n'],
  ['FROM --platform=linux/amd64 node:26-slim AS built\nFROM built\nCOPY --from=built /x /x\n'],
  ['ARG NODE_IMAGE=node:26-slim\nFROM ${NODE_IMAGE} AS dependencies\nFROM $NODE_IMAGE as last\n'],
])('a Dockerfile counts with its arguments and without its own stages: %j', (dockerfile) => {
  assert.deepEqual(names(dockerfile), { names: ['node:26-slim'], error: '' });
});

test('images of the compose file count once, by the defaults of their variables; ours does not, nor what can only be pulled', () => {
  const images = [
    '"mariadb:11.8"',
    '${DB-mariadb:11.8} # again',
    "'prom/prometheus:v3'",
    '${Z:-openzipkin/zipkin:3.5}',
  ];
  const ours = ['lateen', '${LATEEN_IMAGE:-lateen:1.0}', 'grafana/grafana:12'];
  const expected = ['mariadb:11.8', 'node:26-slim', 'openzipkin/zipkin:3.5', 'prom/prometheus:v3'];
  assert.deepEqual(names('FROM node:26-slim\n', ...images, ...ours), { names: expected, error: '' });
});

test.each([
  ['redis:7', /redis:7: nothing here makes it; add a directory/],
  ['mariadb@sha256:00', /mariadb@sha256:00: an image with a digest can only be pulled/],
  ['mariadb:${TAG}', /mariadb:\$\{TAG\}: a name that only variables know/],
])('an image that cannot be made is named, with what to do: %s', (image, message) => {
  const said = names('FROM node:26-slim\n', image);
  expect(said.error).toMatch(message);
  assert.deepEqual(said.names, []);
});

test('a missing file is named', () => {
  writeFileSync(join(root, 'Dockerfile'), 'FROM node:26-slim\n');
  rmSync(join(root, 'docker-compose.yml'), { force: true });
  const { status, stderr } = spawnSync('bash', [copy, '--names'], { encoding: 'utf8' });
  assert.equal(status, 1);
  expect(stderr).toMatch(/docker-compose\.yml is not there/);
});
