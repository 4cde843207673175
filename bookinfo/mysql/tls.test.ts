import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { MARIADB, startMariadb, type Mariadb } from '../../test/kit/mariadb.ts';
import { mysqlDatabase } from './database.ts';
import { mysqlSettings } from './settings.ts';

describe('a database that speaks TLS', () => {
  const dir = mkdtempSync(join(tmpdir(), 'lateen-mysql-tls-'));
  let server: Mariadb | null = null;
  beforeAll(async () => {
    if (!MARIADB) return;
    chmodSync(dir, 0o755);
    const [key, cert] = [join(dir, 'key.pem'), join(dir, 'cert.pem')];
    const request = [
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-nodes',
      '-days',
      '2',
      '-subj',
      '/CN=db',
    ];
    execFileSync('openssl', [...request, '-keyout', key, '-out', cert], { stdio: 'ignore' });
    chmodSync(key, 0o644);
    server = await startMariadb('127.45.5.1', [
      `--ssl-key=${key}`,
      `--ssl-cert=${cert}`,
      '--require-secure-transport=ON',
    ]);
  }, 30_000);
  afterAll(async () => {
    await server?.[Symbol.asyncDispose]();
    rmSync(dir, { recursive: true });
  });

  for (const [mode, outcome] of [
    [
      'trust',
      { ok: true, rows: [{ Value: expect.stringContaining('TLSv1') as string, Variable_name: 'Ssl_version' }] },
    ],
    ['true', { ok: false, stage: 'connect', reason: expect.stringMatching(/certificate/) as string }],
    [
      '',
      {
        ok: false,
        stage: 'connect',
        reason: expect.stringMatching(/Access denied|secure transport/) as string,
      },
    ],
  ] as const) {
    test.skipIf(!MARIADB)(`is reached or not with MYSQL_DB_SSL=${mode}, and says why`, async () => {
      const { host, port } = server!;
      const env = {
        MYSQL_DB_HOST: host,
        MYSQL_DB_PORT: `${port}`,
        MYSQL_DB_USER: 'root',
        MYSQL_DB_PASSWORD: 'password',
        MYSQL_DB_SSL: mode,
      };
      const database = mysqlDatabase(mysqlSettings(env, '')!);
      expect(await database.read("SHOW STATUS LIKE 'Ssl_version'", [])).toMatchObject(outcome);
      database.close();
    });
  }
});
